import t from "tap";
import { encodingsOf, KnownForms, withoutForms } from "../../../src/coze/token/known-forms.ts";

const one = "sat_ONE/+0123456789abcdef";
const two = "sat_TWO/+0123456789abcdef";

t.test("what it knows is found and taken out, in every form", async (t) => {
  const forms = new KnownForms();
  t.equal(forms.isIn(Buffer.from(one)), false);
  t.equal(forms.redact(one), one);
  forms.add(one, 1, []);
  for (const text of [one, encodeURIComponent(one), Buffer.from(`x${one}`).toString("base64")]) {
    t.equal(forms.isIn(Buffer.from(`a ${text} b`)), true);
    t.notMatch(forms.redact(`a ${text} b`), text);
  }
  t.equal(forms.redact(`a ${one} b`), "a [redacted] b");
});

t.test("those that are not to be kept are forgotten", async (t) => {
  const forms = new KnownForms();
  forms.add(one, 1, []);
  forms.add(two, 2, [1, 2]);
  t.equal(forms.redact(`${one} ${two}`), "[redacted] [redacted]");
  forms.add("sat_THREE/+0123456789", 3, [2]);
  t.equal(forms.redact(`${one} ${two}`), `${one} [redacted]`);
  t.equal(forms.isIn(Buffer.from(one)), false);
});

t.test("forms too short to be told from other text are left out", async (t) => {
  for (const form of encodingsOf("12345678")) t.ok(form.length >= 8, form);
  t.ok(encodingsOf("12345678").includes("12345678"));
  t.equal(withoutForms("say 12345678", encodingsOf("12345678")), "say [redacted]");
});
