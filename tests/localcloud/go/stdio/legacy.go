// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
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
	m, body, readable := read(w, r)
	if !readable {
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
	if answer := asked(w, r, c, m, body); answer != nil {
		sendTo(found.(chan []byte), answer)
		w.WriteHeader(http.StatusAccepted)
	}
}

func sendTo(answers chan<- []byte, line json.RawMessage) {
	select {
	case answers <- line:
	default:
	}
}
