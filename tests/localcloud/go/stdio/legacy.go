// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// Streams of the transport of 2024-11-05 by their session: what is answered to a POST goes there.
var legacyStreams sync.Map

// legacy is the transport of 2024-11-05: a GET opens a session and its stream, a POST sends into it.
func (b *bridge) legacy(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		c, err := b.open()
		if err != nil {
			text(w, http.StatusInternalServerError, err.Error())
			return
		}
		answers := make(chan []byte, 64)
		legacyStreams.Store(c.id, answers)
		defer func() {
			legacyStreams.Delete(c.id)
			b.forget(c.id)
			go c.stop()
		}()
		stream(w)
		event(w, "endpoint", []byte("/sse?sessionId="+c.id))
		relay(w, r, c.listen(), answers)
	case http.MethodPost:
		b.legacyPost(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		text(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	}
}

func (b *bridge) legacyPost(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("sessionId")
	if id == "" {
		text(w, http.StatusBadRequest, "failed to process session_id")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longestMessage))
	m, readable := parse(body)
	if err != nil || !readable {
		text(w, http.StatusBadRequest, unreadable)
		return
	}
	c := b.find(id)
	found, open := legacyStreams.Load(id)
	if c == nil || !open {
		text(w, http.StatusNotFound, "Session not found")
		return
	}
	if len(m.ID) == 0 {
		b.forward(w, r, c, m, body)
		return
	}
	answer, err := c.ask(string(m.ID), body)
	if err != nil {
		failed(w, m, err)
		return
	}
	select {
	case result := <-answer:
		sendTo(found.(chan []byte), response(m, merged(m.Method, result)))
		w.WriteHeader(http.StatusAccepted)
	case <-r.Context().Done():
	}
}

func sendTo(answers chan<- []byte, line json.RawMessage) {
	select {
	case answers <- line:
	default:
	}
}
