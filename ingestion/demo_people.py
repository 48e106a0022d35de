"""Names, addresses and consent for the demo's people, whose shop knew them by number only.

Everything is worked out from the customer number, so the same person is always called the same.
All addresses are under example.com, which belongs to nobody.
"""

from datetime import datetime

from django.db import connection, transaction

FIRST_NAMES = (
    "Ada", "Amelia", "Amir", "Anna", "Arthur", "Beatrice", "Ben", "Carla", "Chloe", "Clara",
    "Daniel",
    "David", "Edith", "Elena", "Ella", "Emily", "Emma", "Erik", "Eva", "Felix", "Florence", "Frank",
    "Freya", "George", "Grace", "Hannah", "Harry", "Helen", "Henry", "Ida", "Irene", "Isaac",
    "Isla",
    "Ivy", "Jack", "James", "Jane", "Joan", "John", "Julia", "Karim", "Kate", "Laura", "Leo",
    "Lily",
    "Louis", "Lucy", "Maria", "Martha", "Max", "Maya", "Mia", "Mina", "Nina", "Noah", "Nora",
    "Olga",
    "Oliver", "Omar", "Oscar", "Paul", "Peter", "Priya", "Rose", "Ruth", "Sam", "Sara", "Sofia",
    "Sophie", "Stella", "Theo", "Thomas", "Tom", "Vera", "Victor", "Wei", "William", "Yuki", "Zoe",
)  # fmt: skip
LAST_NAMES = (
    "Adams", "Allen", "Andersen", "Bailey", "Baker", "Barnes", "Becker", "Bennett", "Berg",
    "Brooks",
    "Brown", "Carter", "Chen", "Clarke", "Cole", "Cooper", "Cox", "Davies", "Dean", "Dubois",
    "Dunn",
    "Edwards", "Ellis", "Evans", "Fischer", "Fisher", "Ford", "Foster", "Fox", "Garcia", "Gibson",
    "Grant", "Gray", "Green", "Hall", "Harris", "Hart", "Haynes", "Hill", "Holm", "Hughes", "Hunt",
    "Jansen", "Jones", "Kaur", "Kelly", "Khan", "King", "Knight", "Kowalski", "Larsen", "Laurent",
    "Lee", "Lewis", "Lindqvist", "Marsh", "Martin", "Mason", "Meyer", "Miller", "Moore", "Moreau",
    "Morgan", "Murphy", "Nolan", "Novak", "Okafor", "Owen", "Palmer", "Park", "Patel", "Perry",
    "Price", "Reed", "Reid", "Rossi", "Russell", "Santos", "Schmidt", "Scott", "Shaw", "Silva",
    "Singh", "Smith", "Stone", "Tanaka", "Taylor", "Turner", "Walker", "Ward", "Watson", "Weber",
    "West", "White", "Wood", "Wright", "Young",
)  # fmt: skip
# Of 100 people, so many agreed to marketing mail, and so many of the rest said no.
GRANTED_OF_100 = 88
REFUSED_OF_100 = 5

_HASH = "('x' || substr(md5(%s || c.external_id), 1, 7))::bit(28)::int"
_NAMES = f"""
UPDATE ingestion_customer c SET
    first_name = n.first, last_name = n.last, updated_at = %s,
    email = lower(n.first || '.' || n.last || '.'
                  || regexp_replace(c.external_id, '[^A-Za-z0-9]', '', 'g')) || '@example.com'
FROM (
    SELECT c.id,
           (%s::text[])[1 + {_HASH} %% %s] AS first,
           (%s::text[])[1 + {_HASH} %% %s] AS last
    FROM ingestion_customer c
    WHERE c.is_demo AND c.email IS NULL AND c.first_name = '' AND c.external_id IS NOT NULL
) n WHERE c.id = n.id
"""
_IDENTITIES = """
INSERT INTO ingestion_identity (customer_id, kind, value, source, at, parent_id, linked_at)
SELECT c.id, 'email', c.email, %s, %s, i.id, i.at FROM ingestion_customer c
JOIN ingestion_identity i ON i.kind = 'external' AND i.value = c.external_id
WHERE c.is_demo AND c.email IS NOT NULL
ON CONFLICT DO NOTHING
"""
_CONSENT = f"""
INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source, proof, current)
SELECT c.id, 'email', 'marketing', d.draw < %s, %s, %s,
       jsonb_build_object('demo', true, 'how', 'made up with the demo data'), true
FROM ingestion_customer c
CROSS JOIN LATERAL (SELECT {_HASH} %% 100 AS draw) d
WHERE c.is_demo AND c.external_id IS NOT NULL AND d.draw < %s
ON CONFLICT DO NOTHING
"""


def fill(*, source: str, now: datetime) -> int:
    """Give every demo person without one a name, an address and an answer; how many were named."""
    first, last = list(FIRST_NAMES), list(LAST_NAMES)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NAMES, [now, first, "first:", len(first), last, "last:", len(last)])
        named = int(cursor.rowcount)
        cursor.execute(_IDENTITIES, [source, now])
        cursor.execute(
            _CONSENT,
            [GRANTED_OF_100, now, source, "consent:", GRANTED_OF_100 + REFUSED_OF_100],
        )
    return named
