import { isApiAppId } from "../../operations/schemas.ts";
import type { JsonNode, Span } from "./json-tree.ts";

/** The name of the member, anywhere in a reply, whose value signs callbacks. */
export const secretName = "verify_token";

/** A secret's value, and the id of the object that it is a member of; undefined when that has none, or is doubtful. */
export interface Secret extends Span {
  readonly appId: string | undefined;
}

const factNames = ["id", "app_type", "api_app_id", "event_type"] as const;

/** What tells whether an item of a list may be seen. Each is what the item says in ASCII; ids are well-formed. */
export type ItemFacts = { readonly [Name in (typeof factNames)[number]]?: string };

/** One item of `data.items`; `facts` is undefined when they are doubtful: nobody can tell whose the item is. */
export interface Item extends Span {
  readonly facts: ItemFacts | undefined;
}

/** What rules on a reply can be about. */
export interface Outline {
  readonly secrets: readonly Secret[];
  /** The items of each `data.items`; more than one when a member is there twice. */
  readonly lists: readonly (readonly Item[])[];
  /**
   * False when `data` or `data.items` is there, and is not what it should be, or when there is a list elsewhere: then
   * nobody knows what it would show.
   */
  readonly listsAreSure: boolean;
  /** Of `data` itself, as the reply of a create has it. */
  readonly dataIds: readonly (string | undefined)[];
}

/** Finds it in the tree of a reply. */
export function outlineOf(root: JsonNode): Outline {
  const secrets: Secret[] = [];
  collectSecrets(root, secrets);
  const data = membersOf(root, "data");
  const items = data.flatMap((each) => membersOf(each, "items"));
  return {
    secrets,
    lists: items.map((list) =>
      list.kind === "array"
        ? list.elements.map((each) => ({ start: each.start, end: each.end, facts: factsOf(each) }))
        : [],
    ),
    listsAreSure:
      data.every(isOr("object")) &&
      items.every(isOr("array")) &&
      arraysIn(root) === items.filter(isArray).length,
    dataIds: data.map(appIdOf),
  };
}

/** Go writes `null` for a list without items. */
function isOr(kind: "object" | "array"): (node: JsonNode) => boolean {
  return (node) => node.kind === kind || node.kind === "null";
}

function isArray({ kind }: JsonNode): boolean {
  return kind === "array";
}

/** Arrays that are not inside another one: a list that stands elsewhere would be shown whole. */
function arraysIn(node: JsonNode): number {
  if (node.kind === "array") return 1;
  if (node.kind !== "object") return 0;
  return node.members.reduce((sum, { value }) => sum + arraysIn(value), 0);
}

/** Recursion is safe: the tree's depth has a bound. */
function collectSecrets(node: JsonNode, found: Secret[]): void {
  if (node.kind === "array") for (const each of node.elements) collectSecrets(each, found);
  if (node.kind !== "object") return;
  const values = membersOf(node, secretName);
  const appId = values.length > 0 ? appIdOf(node) : undefined;
  for (const { start, end } of values) found.push({ start, end, appId });
  for (const { value } of node.members) collectSecrets(value, found);
}

function factsOf(node: JsonNode): ItemFacts | undefined {
  const facts: { -readonly [Name in keyof ItemFacts]: string } = {};
  for (const name of factNames) {
    const values = membersOf(node, name);
    if (values.length === 0) continue;
    const text = textOf(values);
    const isId = name === "id" || name === "api_app_id";
    if (text === undefined || (isId && !isApiAppId(text))) return undefined;
    facts[name] = text;
  }
  return facts.id === undefined && facts.api_app_id === undefined ? undefined : facts;
}

function appIdOf(node: JsonNode): string | undefined {
  const id = textOf(membersOf(node, "id"));
  return isApiAppId(id) ? id : undefined;
}

function membersOf(node: JsonNode, name: string): JsonNode[] {
  if (node.kind !== "object") return [];
  return node.members.filter((member) => member.name === name).map(({ value }) => value);
}

/** The text that all the values are; of differing ones nobody knows which a reader would take. */
function textOf(values: readonly JsonNode[]): string | undefined {
  const [first, ...others] = values.map((value) => (value.kind === "string" ? value.text : undefined));
  // The bytes beyond ASCII were not decoded, so a text with any is not what it seems.
  if (first === undefined || !/^[\0-\x7f]*$/.test(first)) return undefined;
  return others.every((other) => other === first) ? first : undefined;
}
