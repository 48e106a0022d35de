"""Facts: people, consent, products, orders and events, and every door they come in by.

Doors: `api` (/api/v1/), `tracking` (/v1/, spoken by published client libraries), `imports` (files),
`connectors` (pulled on a schedule), `webhooks` (pushed by shops). Ground: `models`, `preprocess`
(pure), `identity`, `events`, `recipes`, `registry`, `quality`, `privacy`. Read first: `imports`,
`events`, `identity`. It must not know what anybody computes from the facts.
"""
