import { WatchedFile } from "../../config/watched-file.ts";
import { parseToken } from "./parse.ts";
import type { FeedListeners, TokenFeed } from "./source.ts";

/** Tokens out of a file that is watched. The first look is done when the promise resolves, good or not. */
export async function openFileFeed(path: string, listeners: FeedListeners): Promise<TokenFeed> {
  const file = await WatchedFile.open({
    path,
    parse: parseToken,
    maxBytes: 64 * 1024,
    onChange: (value) => listeners.onToken({ value }),
    onRecovered: () => listeners.onRecovered(),
    onError: (error) => listeners.onError(error),
  });
  return {
    get trouble() {
      return file.trouble;
    },
    refresh: () => file.refresh(),
    pending: () => undefined,
    close: async () => file.close(),
  };
}
