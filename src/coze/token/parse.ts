/**
 * Reads a token out of a file's content, a variable or a reply: a byte order mark and white space around it are
 * dropped. Only "one line that is safe in a header" is asked for; Coze's prefixes are not (FACTS d).
 * @throws Error that says what is wrong, never what the content is.
 */
export function parseToken(content: Buffer | string): string {
  const token = content
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trim();
  if (token === "") throw new Error("the token is empty");
  if (/[\r\n]/.test(token)) throw new Error("the token has more than one line");
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error("the token has blanks or characters that a header cannot carry");
  if (token.length < 8 || token.length > 8192) throw new Error("the token must have 8 to 8192 characters");
  return token;
}
