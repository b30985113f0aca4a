// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type verdict struct {
	Version string   `json:"version,omitempty"`
	Tools   []string `json:"tools,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// judge prints what the Go SDK's client, which finds out the era by itself, makes of servers: one line of JSON.
func judge(urls []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found := map[string]verdict{}
	var mutex sync.Mutex
	var all sync.WaitGroup
	for _, url := range urls {
		all.Go(func() {
			one := asked(ctx, url)
			mutex.Lock()
			defer mutex.Unlock()
			found[url] = one
		})
	}
	all.Wait()
	line, err := json.Marshal(found)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func asked(ctx context.Context, url string) verdict {
	client := mcp.NewClient(&mcp.Implementation{Name: "judge", Version: "0"}, nil)
	transport := &mcp.StreamableClientTransport{Endpoint: url, MaxRetries: -1, DisableStandaloneSSE: true}
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		return verdict{Error: err.Error()}
	}
	defer session.Close()
	listed, err := session.ListTools(ctx, nil)
	if err != nil {
		return verdict{Error: err.Error()}
	}
	names := []string{}
	for _, tool := range listed.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return verdict{Version: session.InitializeResult().ProtocolVersion, Tools: names}
}
