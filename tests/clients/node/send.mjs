// What a shop's server does with the published client: six kinds of calls, then wait for the end.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, prefix] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, maxRetries: 5, flushAt: 4, flushInterval: 100 });
const problems = [];
analytics.on("error", (error) => problems.push(String(error.reason ?? error.code ?? error)));

const who = { userId: `${prefix}-17`, anonymousId: `${prefix}-visitor` };
analytics.identify({ ...who, traits: { email: `${prefix}@example.com`, firstName: "Grace" } });
analytics.track({ ...who, event: "Product Viewed", properties: { sku: "teapot-1", price: 24.5 } });
analytics.page({ ...who, name: "Teapots", properties: { path: "/teapots" } });
analytics.screen({ ...who, name: "Start" });
analytics.group({ ...who, groupId: "club", traits: { size: 3 } });
analytics.alias({ userId: who.userId, previousId: `${prefix}-before` });
for (let n = 0; n < 20; n++) {
  analytics.track({ ...who, event: "Clicked", properties: { n } });
}
await analytics.closeAndFlush({ timeout: 30000 });
process.stdout.write(JSON.stringify({ problems }));
process.exit(problems.length ? 1 : 0);
