#!/usr/bin/env node
// SPDX-License-Identifier: GPL-3.0-or-later
// A small MCP server of standard input and output, without dependencies: `count` counts the words of a text.

import { createInterface } from "node:readline";

const SUPPORTED = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const TOOLS = [
  {
    name: "count",
    description: "Return how many words a text has.",
    inputSchema: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  },
];

class Fault extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion: SUPPORTED.includes(protocolVersion) ? protocolVersion : SUPPORTED[0],
    capabilities: { tools: {} },
    serverInfo: { name: "words-mcp", version: "1.0.0" },
  }),
  ping: () => ({}),
  "tools/list": () => ({ tools: TOOLS }),
  // The adapter that KMCP uses claims these two for every program, and hands no error back to who asked.
  "prompts/list": () => ({ prompts: [] }),
  "resources/list": () => ({ resources: [] }),
  "resources/templates/list": () => ({ resourceTemplates: [] }),
  "tools/call": ({ name, arguments: given }) => {
    if (name !== "count") throw new Fault(-32602, `Unknown tool: ${name}`);
    if (typeof given?.text !== "string") return { isError: true, content: [{ type: "text", text: "text is missing" }] };
    return { content: [{ type: "text", text: String(given.text.split(/\s+/).filter(Boolean).length) }] };
  },
};

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");

createInterface({ input: process.stdin }).on("line", (line) => {
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    return send({ id: null, error: { code: -32700, message: "Parse error" } });
  }
  const { id, method, params } = message;
  if (id === undefined || method === undefined) return undefined; // notifications ask for nothing
  try {
    if (!methods[method]) throw new Fault(-32601, `Method not found: ${method}`);
    return send({ id, result: methods[method](params ?? {}) });
  } catch (error) {
    return send({ id, error: { code: error.code ?? -32603, message: error.message } });
  }
});
