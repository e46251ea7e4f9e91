import { existsSync } from "node:fs";
import { chromium, type Page } from "playwright-core";
import t from "tap";
import { operations } from "../../src/operations/registry.ts";
import { start } from "./helper.ts";

const executablePath = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const skip = existsSync(executablePath) ? false : `no browser at ${executablePath}; set CHROMIUM_PATH`;

const browserArguments = [
  "--no-sandbox",
  "--headless",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A name that is not loopback: browsers make exceptions for loopback that callers in a cluster do not get.
  "--host-resolver-rules=MAP gateway.test 127.0.0.1",
];

/** Opens an operation's entry, sets its inputs, executes it and gives status and body of the reply shown. */
async function tryOut(page: Page, id: string, inputs: { appId?: string; body?: unknown }) {
  const entry = page.locator(`#operations-callback_apps-${id}`);
  await entry.locator(".opblock-summary-control").click();
  if (inputs.appId !== undefined) {
    await entry.locator('tr[data-param-name="api_app_id"] input').fill(inputs.appId);
  }
  if (inputs.body !== undefined) {
    await entry.locator("textarea.body-param__text").fill(JSON.stringify(inputs.body));
  }
  await entry.locator("button.execute").click();
  const live = entry.locator(".live-responses-table");
  await live.waitFor();
  const status = await live.locator("tbody .response-col_status").first().innerText();
  return { status: status.trim().split("\n")[0], text: await live.innerText() };
}

t.test("the docs page in a real browser", { skip }, async (t) => {
  const { port, key, sandbox } = await start(t);
  const browser = await chromium.launch({ executablePath, args: browserArguments });
  t.teardown(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  const complaints: string[] = [];
  const requested: string[] = [];
  page.on("console", (message) => {
    if (message.type() !== "log" && message.type() !== "debug") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  page.on("request", (request) => requested.push(request.url()));
  const origin = `http://gateway.test:${port}`;
  await page.goto(`${origin}/docs`);
  await page.locator("#operations-callback_apps-list_api_apps").waitFor();
  t.equal(await page.locator(".opblock").count(), operations.length + 3, "and those of the gateway");

  await page.locator("button.authorize").first().click();
  await page.locator(".auth-container input").fill(key);
  await page.locator(".auth-btn-wrapper button.authorize").click();
  await page.locator(".auth-btn-wrapper button.btn-done").click();

  const created = await tryOut(page, "create_api_app", {
    body: { app_type: "normal", name: "from the page" },
  });
  t.equal(created.status, "200");
  const [app] = sandbox.state.apps.values();
  t.equal(app?.name, "from the page");
  t.match(created.text, app?.id ?? "?");
  t.match(created.text, sandbox.calls[0]?.logid ?? "?");
  t.match(created.text, /x-tt-logid: \d{14}[0-9A-F]{20}/, "the logid is among the headers shown");

  const listed = await tryOut(page, "list_api_apps", {});
  t.equal(listed.status, "200", listed.text);
  t.match(listed.text, "from the page");

  const body = { event_types: ["bot.published"] };
  const appId = app?.id ?? "";
  const unsubscribed = await tryOut(page, "unsubscribe_events", { appId, body });
  t.equal(unsubscribed.status, "200", unsubscribed.text);
  t.match(unsubscribed.text, sandbox.calls[2]?.logid ?? "?");

  t.same(
    sandbox.calls.map(({ method, url, body: sent }) => `${method} ${url} ${sent}`.trim()),
    [
      'POST /v1/api_apps {"app_type":"normal","name":"from the page"}',
      "GET /v1/api_apps?page_size=50",
      `DELETE /v1/api_apps/${appId}/events {"event_types":["bot.published"]}`,
    ],
  );
  t.same(complaints, []);
  t.ok(requested.length > 8);
  t.same(
    requested.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith("data:")),
    [],
    "nothing is loaded from elsewhere",
  );
  if (process.env["SCREENSHOT"] === "1") {
    await page.evaluate("scrollTo(0, 0)");
    await page.screenshot({ path: "/tmp/docs.png" });
  }
});
