import { isUtf8 } from "node:buffer";
import { isApiAppId } from "../../operations/schemas.ts";
import { edited, removals } from "./edits.ts";
import { parseJsonTree, UnreadableReply } from "./json-tree.ts";
import { type ItemFacts, type Outline, outlineOf, secretName } from "./outline.ts";

/** What a caller may see of a reply. */
export interface ReplyRules {
  /** Whether the `verify_token` of an app may be seen. One that the reply does not clearly give to an app takes `all`. */
  readonly showsVerifyToken: "all" | ((apiAppId: string) => boolean);
  /** Whether an item of `data.items` may be seen; absent: all. One that does not clearly say whose it is never passes. */
  readonly showsItem?: ((item: ItemFacts) => boolean) | undefined;
}

const redacted = Buffer.from('"[redacted]"');

/**
 * Coze's success as a caller may see it: what is not for the caller is replaced or taken out, every other byte stays as
 * Coze sent it. It is read once, and only when something may have to be done to it.
 */
export class Reply {
  readonly #body: Buffer;
  #read: Outline | undefined;

  /** @param body has passed as an envelope: JSON in UTF-8. */
  constructor(body: Buffer) {
    this.#body = body;
  }

  /**
   * The apps that the rules will be asked about, and the one that `data` is: for looking up their owners beforehand.
   * @throws {UnreadableReply}
   */
  ids(): ReadonlySet<string> {
    const { secrets, lists, dataIds } = this.#outline();
    const items = lists.flat().flatMap(({ facts }) => [facts?.id, facts?.api_app_id]);
    return new Set([...dataIds, ...secrets.map(({ appId }) => appId), ...items].filter(isApiAppId));
  }

  /**
   * The bytes to send; the very same Buffer when there is nothing to do to it.
   * @throws {UnreadableReply} rather than show what may have to be hidden.
   */
  view({ showsVerifyToken, showsItem }: ReplyRules): Buffer {
    const body = this.#body;
    const shows = showsVerifyToken === "all" || !mayHoldSecret(body) ? undefined : showsVerifyToken;
    if (!showsItem && !shows) return body;
    const { secrets, lists, listsAreSure } = this.#outline();
    if (showsItem && !listsAreSure) throw new UnreadableReply("data.items is not a list");
    const hidden = shows ? secrets.filter(({ appId }) => appId === undefined || !shows(appId)) : [];
    const removed = showsItem
      ? lists.flatMap((items) => removals(items, ({ facts }) => facts !== undefined && showsItem(facts)))
      : [];
    return edited(body, [...hidden.map(({ start, end }) => ({ start, end, bytes: redacted })), ...removed]);
  }

  /** As Latin-1 each byte is one character, so offsets in the text are offsets in the body; all that is looked for is ASCII. */
  #outline(): Outline {
    if (!isUtf8(this.#body)) throw new UnreadableReply("not UTF-8");
    this.#read ??= outlineOf(parseJsonTree(this.#body.toString("latin1")));
    return this.#read;
  }
}

/** A letter or underscore can be written in two ways only: as itself, and escaped with `\u`. */
function mayHoldSecret(body: Buffer): boolean {
  return body.includes(secretName) || body.includes("\\u");
}
