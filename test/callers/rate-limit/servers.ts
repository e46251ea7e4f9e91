import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { RateLimitStoreUrl } from "../../../src/config/rate-limit-store-url.ts";
import type { Teardown } from "../../helpers/gateway.ts";

/** Times with which only a server that never answers is given up: a busy machine is no reason to fail. */
export const patient = { openMs: 60_000, answerMs: 60_000, pauseMs: 20 } as const;

/** Something that listens where a Redis should be. */
export interface FakeServer {
  readonly url: RateLimitStoreUrl;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** Everything that was sent to it. */
  readonly received: () => string;
}

/** A server that answers whatever comes with the same; with undefined never. */
export async function startFakeServer(t: Teardown, answer: string | undefined): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let received = "";
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      received += data.toString();
      if (answer !== undefined) socket.write(answer);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: new RateLimitStoreUrl(`redis://gateway:CANARYpassword@127.0.0.1:${port}`),
    sockets,
    received: () => received,
  };
}

/** A port of loopback on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
