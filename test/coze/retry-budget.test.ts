import fc from "fast-check";
import t from "tap";
import { RetryBudget } from "../../src/coze/retry-budget.ts";

t.test("a full bucket pays for a burst and no more", async (t) => {
  const budget = new RetryBudget();
  let paid = 0;
  for (; budget.canWithdraw; paid += 1) budget.withdraw();
  t.equal(paid, 20);
  t.equal(budget.tokens, 0);
  budget.withdraw();
  t.equal(budget.tokens, 0, "never below nothing");
});

t.test("it never holds more than its capacity", async (t) => {
  const budget = new RetryBudget(2, 1);
  for (let at = 0; at < 10; at += 1) budget.deposit();
  t.equal(budget.tokens, 2);
});

t.test("over any sequence retries stay within the burst and a tenth of the requests", async () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 2000 }), (isRequest) => {
      const budget = new RetryBudget();
      let requests = 0;
      let retries = 0;
      for (const request of isRequest) {
        if (request) {
          requests += 1;
          budget.deposit();
        } else if (budget.canWithdraw) {
          retries += 1;
          budget.withdraw();
        }
      }
      return retries <= 20 + requests / 10 + 1e-6 && budget.tokens >= 0 && budget.tokens <= 20;
    }),
  );
});

t.test("a retry that was not made is paid back, never beyond what fits", async (t) => {
  const budget = new RetryBudget(2);
  budget.withdraw();
  budget.refund();
  t.equal(budget.tokens, 2);
  budget.refund();
  t.equal(budget.tokens, 2);
});
