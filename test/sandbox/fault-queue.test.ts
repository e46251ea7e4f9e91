import t from "tap";
import { FaultQueue } from "../../src/sandbox/fault-queue.ts";

t.test("a fault strikes so many times, once unless told", (t) => {
  const queue = new FaultQueue();
  queue.add({ status: 500 }, { status: 502, times: 2 });
  t.same(queue.list(), [
    { status: 500, times: 1 },
    { status: 502, times: 2 },
  ]);
  t.match(queue.take("GET", "/a"), { status: 500 });
  t.match(queue.take("GET", "/a"), { status: 502 });
  t.same(queue.list(), [{ status: 502, times: 1 }]);
  t.match(queue.take("GET", "/a"), { status: 502 });
  t.equal(queue.take("GET", "/a"), undefined);
  t.end();
});

t.test("the first that matches method and path is taken", (t) => {
  const queue = new FaultQueue();
  queue.add({ method: "delete", msg: "method" });
  queue.add(
    { path: "/v1/api_apps/:api_app_id/events", msg: "pattern" },
    { path: "/v1/api_apps", msg: "path" },
  );
  queue.add({ method: "POST", path: "/v1/api_apps", msg: "both" });
  t.match(queue.take("POST", "/v1/api_apps"), { msg: "path" });
  t.match(queue.take("POST", "/v1/api_apps"), { msg: "both" });
  t.equal(queue.take("POST", "/v1/api_apps"), undefined);
  t.equal(queue.take("GET", "/v1/api_apps/75"), undefined);
  t.equal(queue.take("GET", "/v2/api_apps/75/events"), undefined);
  t.match(queue.take("GET", "/v1/api_apps/75/events"), { msg: "pattern" });
  t.match(queue.take("DELETE", "/anything"), { msg: "method" });
  t.same(queue.list(), []);
  t.end();
});

t.test("clear forgets all", (t) => {
  const queue = new FaultQueue();
  queue.add({ status: 500 });
  queue.clear();
  t.equal(queue.take("GET", "/"), undefined);
  t.end();
});
