import t from "tap";
import { start } from "./helper.ts";

t.test("the document is served in both forms, without a key", async (t) => {
  const { url, gateway } = await start(t);
  const json = await fetch(`${url}/openapi.json`);
  t.match(json.headers.get("content-type"), /^application\/json/);
  t.same(await json.json(), JSON.parse(JSON.stringify(gateway.app.swagger())));
  const yaml = await fetch(`${url}/openapi.yaml`);
  t.equal(yaml.headers.get("content-type"), "application/yaml; charset=utf-8");
  t.match(await yaml.text(), /^openapi: 3\.1\.0\n/);
});

t.test("the docs page may load nothing but its own files, over plain HTTP too", async (t) => {
  const { url } = await start(t);
  const page = await fetch(`${url}/docs`);
  t.equal(
    page.headers.get("content-security-policy"),
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'",
  );
});
