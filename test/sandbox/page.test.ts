import t from "tap";
import { page } from "../../src/sandbox/page.ts";
import { refusal } from "./helper.ts";

const items = (...seqs: number[]) => seqs.map((seq) => ({ seq }));
const upTo = (last: number) => items(...Array.from({ length: last }, (_, at) => at + 1));

t.test("everything on one page has no token", (t) => {
  t.strictSame(page(upTo(2), {}), { items: upTo(2), has_more: false });
  t.strictSame(page([], { page_token: "" }), { items: [], has_more: false });
  t.end();
});

t.test("the default size is 50", (t) => {
  t.equal(page(upTo(51), {}).items.length, 50);
  t.equal(page(upTo(51), {}).has_more, true);
  t.equal(page(upTo(50), {}).has_more, false);
  t.end();
});

t.test("the token leads through all pages and has to be URL-encoded", (t) => {
  const first = page(upTo(5), { page_size: "2" });
  t.same(first.items, items(1, 2));
  const token = first.next_page_token ?? "";
  t.match(token, /^(?=.*\+)(?=.*\/).*=$/);
  const second = page(upTo(5), { page_size: "2", page_token: token });
  t.same(second.items, items(3, 4));
  t.strictSame(page(upTo(5), { page_size: "2", page_token: second.next_page_token }), {
    items: items(5),
    has_more: false,
  });
  t.throws(
    () => page(upTo(5), { page_token: token.replaceAll("+", " ") }),
    refusal(4000, "page_token is invalid"),
  );
  t.end();
});

t.test("deleting items between two pages hides no other", (t) => {
  const { next_page_token } = page(upTo(4), { page_size: "2" });
  t.same(page(items(3, 4), { page_token: next_page_token }).items, items(3, 4));
  t.same(page(items(), { page_token: next_page_token }).items, []);
  t.end();
});

t.test("a token that was not given out is refused", (t) => {
  for (const page_token of ["x", "1", "Pj4+Pz8/MDAwMDAwMDAwMg", ["a", "b"], 7]) {
    t.throws(() => page([], { page_token }), refusal(4000, "page_token is invalid"));
  }
  t.end();
});

t.test("page_size is an integer from 1 to 50", (t) => {
  t.equal(page(upTo(60), { page_size: "50" }).items.length, 50);
  t.equal(page(upTo(60), { page_size: "1" }).items.length, 1);
  for (const page_size of ["0", "51", "-1", "1.5", "x", "", ["1", "2"]]) {
    t.throws(() => page([], { page_size }), refusal(4000, "page_size must be between 1 and 50"));
  }
  t.end();
});
