// SPDX-License-Identifier: GPL-3.0-or-later

// The Go SDK's server with the tools, resource and prompt that all servers of these tests have.
//
//	server                 over HTTP, each variant on a port of its own; the addresses are printed as one line of JSON
//	server stdio           over standard input and output
//	server judge URL...    no server: what the SDK's client makes of others (client.go)
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type addition struct {
	A int `json:"a"`
	B int `json:"b"`
}

type number struct {
	Result int `json:"result"`
}

type text struct {
	Text string `json:"text"`
}

type said struct {
	Result string `json:"result"`
}

type nothing struct{}

func newServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "go", Version: "1.2.3"}, &mcp.ServerOptions{Instructions: "Add first."})
	mcp.AddTool(server, &mcp.Tool{Name: "add", Description: "Add two whole numbers."},
		func(_ context.Context, _ *mcp.CallToolRequest, in addition) (*mcp.CallToolResult, number, error) {
			return nil, number{in.A + in.B}, nil
		})
	mcp.AddTool(server, &mcp.Tool{Name: "echo", Description: "Say the same."},
		func(_ context.Context, _ *mcp.CallToolRequest, in text) (*mcp.CallToolResult, said, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, said{in.Text}, nil
		})
	mcp.AddTool(server, &mcp.Tool{Name: "fail", Description: "Report an error."},
		func(context.Context, *mcp.CallToolRequest, nothing) (*mcp.CallToolResult, any, error) {
			return nil, nil, errors.New("the disk is full")
		})
	server.AddTool(&mcp.Tool{Name: "ask", Description: "Ask the user.", InputSchema: json.RawMessage(`{"type":"object"}`)}, ask)
	server.AddResource(&mcp.Resource{Name: "greeting", URI: "note://greeting", MIMEType: "text/plain"},
		func(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			content := &mcp.ResourceContents{URI: request.Params.URI, MIMEType: "text/plain", Text: "Hello."}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{content}}, nil
		})
	server.AddResourceTemplate(&mcp.ResourceTemplate{Name: "note", URITemplate: "note://of/{name}", MIMEType: "text/plain"},
		func(_ context.Context, request *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			content := &mcp.ResourceContents{URI: request.Params.URI, MIMEType: "text/plain", Text: "A note."}
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{content}}, nil
		})
	server.AddPrompt(&mcp.Prompt{Name: "greet", Arguments: []*mcp.PromptArgument{{Name: "name", Required: true}}},
		func(_ context.Context, request *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			content := &mcp.TextContent{Text: "Greet " + request.Params.Arguments["name"] + "."}
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: content}}}, nil
		})
	return server
}

// Input is asked for by the result; for an older client the SDK makes a request of it (elicitation).
func ask(_ context.Context, request *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if answer, ok := request.Params.InputResponses["colour"].(*mcp.ElicitResult); ok {
		content := &mcp.TextContent{Text: fmt.Sprint(answer.Content["colour"])}
		return &mcp.CallToolResult{Content: []mcp.Content{content}}, nil
	}
	schema := json.RawMessage(`{"type":"object","properties":{"colour":{"type":"string"}},"required":["colour"]}`)
	question := &mcp.ElicitParams{Mode: "form", Message: "Which colour?", RequestedSchema: schema}
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"colour": question}}, nil
}

// One variant on a port that the system chooses; GET /sessions tells how many it keeps. Beside /mcp it answers at /0/mcp,
// /1/mcp and so on, as if there were many of it.
func serve(options *mcp.StreamableHTTPOptions) string {
	server := newServer()
	routes := http.NewServeMux()
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, options)
	routes.Handle("/mcp", handler)
	routes.Handle("/{number}/mcp", handler)
	routes.HandleFunc("GET /sessions", func(writer http.ResponseWriter, _ *http.Request) {
		count := 0
		for range server.Sessions() {
			count++
		}
		fmt.Fprint(writer, count)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, routes)) }()
	return "http://" + listener.Addr().String()
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "stdio" {
		if err := newServer().Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			log.Fatal(err)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "judge" {
		judge(os.Args[2:])
		return
	}
	addresses := map[string]string{
		"stateful":  serve(nil),
		"stateless": serve(&mcp.StreamableHTTPOptions{Stateless: true}),
		"json":      serve(&mcp.StreamableHTTPOptions{JSONResponse: true}),
	}
	line, err := json.Marshal(addresses)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
	select {}
}
