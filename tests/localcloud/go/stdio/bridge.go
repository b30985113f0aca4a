// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
)

const (
	sessionHeader = "Mcp-Session-Id"
	unreadable    = "fail to deserialize request body: data did not match any variant of untagged enum JsonRpcMessage"
)

// What the crate rmcp knows. Anything else is no message to it.
var requests = map[string]string{ // method → the field of params that must be there
	"initialize": "protocolVersion", "ping": "", "tools/list": "", "tools/call": "name", "prompts/list": "",
	"prompts/get": "name", "resources/list": "", "resources/templates/list": "", "resources/read": "uri",
	"resources/subscribe": "uri", "resources/unsubscribe": "uri", "completion/complete": "ref",
	"logging/setLevel": "level",
}

var notifications = map[string]bool{
	"notifications/cancelled": true, "notifications/progress": true, "notifications/initialized": true,
	"notifications/roots/list_changed": true,
}

// Lists are put together from those of all targets: what belongs to a page of one of them is lost.
var lists = map[string]string{
	"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources",
	"resources/templates/list": "resourceTemplates",
}

// The adapter says who it is and what it could do, whatever the program has answered.
const ownInfo = `{"protocolVersion":"2025-06-18","capabilities":{"prompts":{},"resources":{},"tools":{}},` +
	`"serverInfo":{"name":"rmcp","version":"0.6.4"},` +
	`"instructions":"A stand-in for the adapter of stdio servers, which speaks for the program behind it."}`

// bridge is one route: its sessions, each with a program of its own.
type bridge struct {
	target   target
	mutex    sync.Mutex
	sessions map[string]*child
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header()["Content-Type"] = nil // the real one names none
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func (b *bridge) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/sse":
		b.legacy(w, r)
	case r.Method == http.MethodPost:
		b.post(w, r)
	case r.Method == http.MethodGet:
		b.get(w, r)
	case r.Method == http.MethodDelete:
		b.remove(w, r)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	}
}

func (b *bridge) open() (*child, error) {
	raw := make([]byte, 16)
	rand.Read(raw)
	id := hex.EncodeToString(raw)
	c, err := start(id, b.target)
	if err != nil {
		log.Printf("error: %q cannot be started: %v", b.target.Stdio.Cmd, err)
		return nil, fmt.Errorf(`fail to create relay: failed to run command '%q'`, b.target.Stdio.Cmd)
	}
	b.mutex.Lock()
	b.sessions[id] = c
	b.mutex.Unlock()
	return c, nil
}

func (b *bridge) find(id string) *child {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.sessions[id]
}

func (b *bridge) forget(id string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.sessions, id)
}

// read takes the one message of a request; false when it is none, which is answered.
func read(w http.ResponseWriter, r *http.Request) (message, []byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestMessage))
	m, readable := parse(body)
	if err != nil || !readable {
		text(w, http.StatusBadRequest, unreadable)
		return m, nil, false
	}
	return m, body, true
}

// asked passes a request on to the program; nil when it cannot be, which is answered, or when nobody waits any more.
func asked(w http.ResponseWriter, r *http.Request, c *child, m message, body []byte) []byte {
	answer, err := c.ask(string(m.ID), body)
	if err != nil {
		failed(w, m, err)
		return nil
	}
	select {
	case result := <-answer:
		return response(m, merged(m.Method, result))
	case <-r.Context().Done():
		return nil
	}
}

// parse reads one message as rmcp does; false when it is none.
func parse(body []byte) (message, bool) {
	var m message
	if json.Unmarshal(body, &m) != nil {
		return m, false
	}
	if m.Method == "" {
		return m, m.Result != nil || m.Error != nil
	}
	if len(m.ID) == 0 {
		return m, notifications[m.Method]
	}
	needed, known := requests[m.Method]
	if !known || string(m.ID) == "null" {
		return m, false
	}
	var params map[string]json.RawMessage
	if needed != "" && (json.Unmarshal(m.Params, &params) != nil || params[needed] == nil) {
		return m, false
	}
	return m, true
}

func (b *bridge) post(w http.ResponseWriter, r *http.Request) {
	accept := r.Header.Get("Accept")
	if !strings.Contains(accept, "application/json") || !strings.Contains(accept, "text/event-stream") {
		text(w, http.StatusNotAcceptable,
			"Not Acceptable: Client must accept both application/json and text/event-stream")
		return
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		text(w, http.StatusUnsupportedMediaType, "Unsupported Media Type: Client must send application/json")
		return
	}
	m, body, readable := read(w, r)
	if !readable {
		return
	}
	var c *child
	if id := r.Header.Get(sessionHeader); id != "" {
		if c = b.find(id); c == nil {
			text(w, http.StatusNotFound, "Session not found")
			return
		}
	} else {
		if m.Method != "" && len(m.ID) > 0 && m.Method != "initialize" {
			text(w, http.StatusUnprocessableEntity, "session header is required for non-initialize requests")
			return
		}
		var err error
		if c, err = b.open(); err != nil {
			text(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set(sessionHeader, c.id)
	}
	b.forward(w, r, c, m, body)
}

// forward sends a message to the program and answers with what comes back, as a stream of one event.
func (b *bridge) forward(w http.ResponseWriter, r *http.Request, c *child, m message, body []byte) {
	switch {
	case m.Method == "":
		failed(w, m, errors.New("invalid request: unsupported message type"))
	case m.Method == "resources/subscribe" || m.Method == "resources/unsubscribe":
		failed(w, m, errors.New("unsupported method: "+m.Method))
	case len(m.ID) == 0:
		if err := c.send(body); err != nil {
			failed(w, m, err)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	default:
		if answer := asked(w, r, c, m, body); answer != nil {
			stream(w)
			event(w, "", answer)
		}
	}
}

// merged is the result as it is put together from the answers of all targets, of which there is one.
func merged(method string, result json.RawMessage) json.RawMessage {
	switch method {
	case "initialize":
		return json.RawMessage(ownInfo)
	case "ping", "logging/setLevel":
		return json.RawMessage("{}")
	}
	field, found := lists[method]
	if !found {
		return result
	}
	var whole map[string]json.RawMessage
	items := json.RawMessage("[]")
	if json.Unmarshal(result, &whole) == nil && whole[field] != nil {
		items = whole[field]
	}
	body, _ := json.Marshal(map[string]json.RawMessage{field: items})
	return body
}

func response(m message, result json.RawMessage) []byte {
	body, _ := json.Marshal(struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  json.RawMessage `json:"result"`
	}{"2.0", m.ID, result})
	return body
}

// failed tells why a message was not passed on: to a request as an error of the protocol.
func failed(w http.ResponseWriter, m message, err error) {
	told := "failed to send message: " + err.Error()
	if m.Method == "" || len(m.ID) == 0 {
		text(w, http.StatusInternalServerError, told)
		return
	}
	quoted, _ := json.Marshal(told)
	text(w, http.StatusInternalServerError,
		fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":%s}}`, m.ID, quoted))
}

func stream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
}

func event(w http.ResponseWriter, name string, data []byte) {
	if name != "" {
		fmt.Fprintf(w, "event: %s\n", name)
	}
	fmt.Fprintf(w, "data: %s\n\n", data)
	w.(http.Flusher).Flush()
}

func (b *bridge) get(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		text(w, http.StatusNotAcceptable, "Not Acceptable: Client must accept text/event-stream")
		return
	}
	id := r.Header.Get(sessionHeader)
	if id == "" {
		text(w, http.StatusUnprocessableEntity, "Session ID is required")
		return
	}
	c := b.find(id)
	if c == nil {
		text(w, http.StatusNotFound, "Session not found")
		return
	}
	stream(w)
	relay(w, r, c.listen(), nil)
}

func (b *bridge) remove(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get(sessionHeader)
	if id == "" {
		text(w, http.StatusUnauthorized, "Unauthorized: Session ID is required")
		return
	}
	if c := b.find(id); c != nil {
		b.forget(id)
		if err := c.stop(); err != nil {
			failed(w, message{}, err)
			return
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

func relay(w http.ResponseWriter, r *http.Request, messages, answers <-chan []byte) {
	for {
		select {
		case line := <-messages:
			event(w, "message", line)
		case line := <-answers:
			event(w, "message", line)
		case <-r.Context().Done():
			return
		}
	}
}
