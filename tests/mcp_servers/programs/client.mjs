// SPDX-License-Identifier: GPL-3.0-or-later

// What the newest TypeScript SDK's client, asked to find out the era, makes of servers.
//
//     client.mjs URL...    one line of JSON: URL → the version it speaks and what it was told, or how it failed
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

// A server may close a connection in the moment in which a request comes over it; whoever sent that asks again.
async function verdict(url) {
  const first = await asked(url);
  return first.error?.startsWith("TypeError: fetch failed") ? asked(url) : first;
}

async function asked(url) {
  const client = new Client({ name: "judge", version: "0" }, { versionNegotiation: { mode: "auto" } });
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    const { tools } = await client.listTools();
    const found = { version: client.getNegotiatedProtocolVersion(), tools: tools.map((tool) => tool.name).sort() };
    await client.transport.terminateSession();
    return found;
  } catch (error) {
    return { error: `${error.constructor.name}: ${error.message} (${error.cause ?? "no cause"})` };
  } finally {
    await client.close();
  }
}

const urls = process.argv.slice(2);
const found = await Promise.all(urls.map(verdict));
console.log(JSON.stringify(Object.fromEntries(urls.map((url, index) => [url, found[index]]))));
