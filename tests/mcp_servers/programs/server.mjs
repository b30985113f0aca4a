// SPDX-License-Identifier: GPL-3.0-or-later

// The TypeScript SDKs' servers with the tools, resource and prompt that all servers of these tests have.
//
//     server.mjs PACKAGE        over HTTP, each variant on a port of its own; the addresses are printed as one line of JSON
//     server.mjs PACKAGE stdio  over standard input and output
//
// PACKAGE is sdk (@modelcontextprotocol/sdk) or server (@modelcontextprotocol/server).
import { randomUUID } from "node:crypto";
import http from "node:http";
import { z } from "zod";

const [name, transport] = process.argv.slice(2);
const older = name === "sdk";
const { McpServer, ResourceTemplate, inputRequired, acceptedContent } = older
  ? await import("@modelcontextprotocol/sdk/server/mcp.js")
  : await import("@modelcontextprotocol/server");

// The older SDK wants the properties, the newer one a schema.
const schema = (properties) => (older ? properties : z.object(properties));
const choice = { colour: z.string() };
const question = {
  message: "Which colour?",
  requestedSchema: { type: "object", properties: { colour: { type: "string" } }, required: ["colour"] },
};
const text = (said) => ({ content: [{ type: "text", text: said }] });
const note = (uri, said) => ({ contents: [{ uri: String(uri), mimeType: "text/plain", text: said }] });

function makeServer() {
  const server = new McpServer({ name, version: "1.2.3" }, { instructions: "Add first." });
  server.registerTool(
    "add",
    {
      description: "Add two whole numbers.",
      inputSchema: schema({ a: z.number().int(), b: z.number().int() }),
      outputSchema: schema({ result: z.number().int() }),
    },
    ({ a, b }) => ({ ...text(String(a + b)), structuredContent: { result: a + b } }),
  );
  server.registerTool(
    "echo",
    { description: "Say the same.", inputSchema: schema({ text: z.string() }), outputSchema: schema({ result: z.string() }) },
    (said) => ({ ...text(said.text), structuredContent: { result: said.text } }),
  );
  server.registerTool("fail", { description: "Report an error.", inputSchema: schema({}) }, () => {
    throw new Error("the disk is full");
  });
  server.registerTool("ask", { description: "Ask the user.", inputSchema: schema({}) }, async (_arguments, context) => {
    if (older) {
      const answer = await server.server.elicitInput(question);
      return text(answer.action === "accept" ? answer.content.colour : answer.action);
    }
    // for an older client the SDK makes a request of it
    const answer = acceptedContent(context.mcpReq.inputResponses, "colour", z.object(choice));
    return answer ? text(answer.colour) : inputRequired({ inputRequests: { colour: inputRequired.elicit(question) } });
  });
  server.registerResource("greeting", "note://greeting", { mimeType: "text/plain" }, (uri) => note(uri, "Hello."));
  const template = new ResourceTemplate("note://of/{name}", { list: undefined });
  server.registerResource("note", template, { mimeType: "text/plain" }, (uri, named) => note(uri, `A note of ${named.name}.`));
  server.registerPrompt("greet", { argsSchema: schema({ name: z.string() }) }, (named) => ({
    messages: [{ role: "user", content: { type: "text", text: `Greet ${named.name}.` } }],
  }));
  return server;
}

// What `sessions` counts is answered on the same port, at /sessions. Beside /mcp it answers at /0/mcp, /1/mcp and so on,
// as if there were many of it; every other path is 404.
async function serve(handle, sessions = () => 0) {
  const listener = http.createServer(async (request, response) => {
    if (request.url === "/sessions") {
      response.end(String(sessions()));
    } else if (/^(\/\d+)?\/mcp$/.test(request.url)) {
      await handle(request, response);
    } else {
      response.writeHead(404).end();
    }
  });
  // on a busy machine a client may take longer than the 5 s of the default for its next request
  listener.keepAliveTimeout = 60_000;
  await new Promise((listening) => listener.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${listener.address().port}`;
}

// As the SDK's own examples keep sessions: a transport each, found by the header.
async function withSessions(options) {
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js");
  const transports = new Map();
  return serve(
    async (request, response) => {
      const session = request.headers["mcp-session-id"];
      let transport = transports.get(session);
      if (session && !transport) {
        const error = { code: -32001, message: "Session not found" };
        response.writeHead(404, { "content-type": "application/json" });
        response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error }));
        return;
      }
      if (!transport) {
        transport = new StreamableHTTPServerTransport({
          ...options,
          sessionIdGenerator: randomUUID,
          onsessioninitialized: (id) => transports.set(id, transport),
          onsessionclosed: (id) => transports.delete(id),
        });
        await makeServer().connect(transport);
      }
      await transport.handleRequest(request, response);
    },
    () => transports.size,
  );
}

async function withoutSessions() {
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js");
  return serve(async (request, response) => {
    if (request.method !== "POST") {
      response.writeHead(405).end();
      return;
    }
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    response.on("close", () => transport.close());
    await makeServer().connect(transport);
    await transport.handleRequest(request, response);
  });
}

async function olderVariants() {
  return {
    stateful: await withSessions({}),
    stateless: await withoutSessions(),
    json: await withSessions({ enableJsonResponse: true }),
  };
}

async function newerVariants() {
  const { createMcpHandler } = await import("@modelcontextprotocol/server");
  const { toNodeHandler } = await import("@modelcontextprotocol/node");
  const handler = (options) => serve(toNodeHandler(createMcpHandler(makeServer, options)));
  return {
    dual: await handler({}),
    modern: await handler({ legacy: "reject" }),
    streaming: await handler({ legacy: "reject", responseMode: "sse" }),
  };
}

if (transport === "stdio" && older) {
  const { StdioServerTransport } = await import("@modelcontextprotocol/sdk/server/stdio.js");
  await makeServer().connect(new StdioServerTransport());
} else if (transport === "stdio") {
  const { serveStdio } = await import("@modelcontextprotocol/server/stdio");
  serveStdio(makeServer);
} else {
  console.log(JSON.stringify(await (older ? olderVariants() : newerVariants())));
}
