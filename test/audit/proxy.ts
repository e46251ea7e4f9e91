import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Teardown } from "../helpers/gateway.ts";

/** The network between a gateway and its store, which a test can bring into trouble. */
export interface Proxy {
  readonly port: number;
  /** From now on everything passes at once. Connections that swallowed something are of no more use, and end. */
  readonly pass: () => void;
  /** From now on every piece arrives this much later. */
  readonly delay: (ms: number) => void;
  /** From now on everything is swallowed, and new connections lead nowhere. */
  readonly swallow: () => void;
  /** From now on every connection is reset. */
  readonly cut: () => void;
}

type Way = { readonly kind: "pass" | "swallow" | "cut" } | { readonly kind: "delay"; readonly ms: number };

/** A TCP proxy on a free port of loopback, in front of another one. */
export async function startProxy(t: Teardown, targetPort: number): Promise<Proxy> {
  let way: Way = { kind: "pass" };
  const sockets = new Set<Socket>();
  const spoilt = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();

  const join = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("error", () => undefined);
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    from.on("data", (piece) => {
      if (way.kind === "swallow") spoilt.add(from);
      else if (way.kind === "delay") later(way.ms, () => to.write(piece));
      else to.write(piece);
    });
  };
  const later = (ms: number, run: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, ms);
    timers.add(timer);
  };

  const server = createServer((near) => {
    if (way.kind === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, "127.0.0.1");
    join(near, far);
    join(far, near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(async () => {
    for (const timer of timers) clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return {
    port: (server.address() as AddressInfo).port,
    pass: () => {
      way = { kind: "pass" };
      for (const socket of spoilt) socket.destroy();
      spoilt.clear();
    },
    delay: (ms) => {
      way = { kind: "delay", ms };
    },
    swallow: () => {
      way = { kind: "swallow" };
    },
    cut: () => {
      way = { kind: "cut" };
      for (const socket of sockets) socket.resetAndDestroy();
    },
  };
}
