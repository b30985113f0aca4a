// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	longestMessage = 16 << 20
	// How long a program may take to end when its standard input is closed: rmcp's MAX_WAIT_ON_DROP_SECS.
	patience = 3 * time.Second
)

var errClosed = errors.New("upstream closed on send")

// child is the program of one MCP session.
type child struct {
	id      string
	command *exec.Cmd
	input   io.WriteCloser
	wake    chan struct{} // a message was sent
	ended   chan struct{} // closed when the process is gone

	mutex   sync.Mutex
	closed  bool                            // a message could not be written: nobody tries again
	pending map[string]chan json.RawMessage // id of a request → its result
	stream  chan []byte                     // who listens to everything that is no result
}

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func start(id string, t target) (*child, error) {
	c := &child{
		id:      id,
		command: exec.Command(t.Stdio.Cmd, t.Stdio.Args...),
		wake:    make(chan struct{}, 2),
		ended:   make(chan struct{}),
		pending: map[string]chan json.RawMessage{},
	}
	c.command.Env = os.Environ()
	for name, value := range t.Stdio.Env {
		c.command.Env = append(c.command.Env, name+"="+value)
	}
	c.command.Stderr = os.Stderr
	input, err := c.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	c.input = input
	go c.read(output)
	return c, nil
}

func (c *child) read(output io.Reader) {
	lines := bufio.NewScanner(output)
	lines.Buffer(make([]byte, 64<<10), longestMessage)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		var m message
		switch {
		case len(line) == 0:
		case line[0] != '{' || json.Unmarshal(line, &m) != nil:
			// The reader of lines ends with an error, and is asked again once two messages were sent.
			log.Printf("error: Error reading from stream: serde error: %.200s", line)
			c.rest()
		default:
			c.pass(m, bytes.Clone(line))
		}
	}
	log.Printf("session %s: the program has closed its output: %v", c.id, c.command.Wait())
	close(c.ended)
}

// rest waits for two messages that are sent from now on.
func (c *child) rest() {
	for len(c.wake) > 0 {
		<-c.wake
	}
	<-c.wake
	<-c.wake
}

func (c *child) pass(m message, line []byte) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if m.Method == "" && m.Result != nil {
		if waiting, found := c.pending[string(m.ID)]; found {
			delete(c.pending, string(m.ID))
			waiting <- m.Result
		}
		return
	}
	// Requests and notifications of the program, and its errors: a response is only what has a result.
	select {
	case c.stream <- line:
	default:
	}
}

// send writes one message on a line of its own.
func (c *child) send(body []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, body); err != nil {
		return err
	}
	line.WriteByte('\n')
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.closed {
		return errClosed
	}
	if _, err := c.input.Write(line.Bytes()); err != nil {
		log.Printf("error: Error sending message to stdio process: %v", err)
		c.closed = true // whoever sent it learns nothing of it
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// ask sends a request; its result comes through the channel, or never.
func (c *child) ask(id string, body []byte) (<-chan json.RawMessage, error) {
	answer := make(chan json.RawMessage, 1)
	c.mutex.Lock()
	c.pending[id] = answer
	c.mutex.Unlock()
	return answer, c.send(body)
}

func (c *child) listen() <-chan []byte {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stream = make(chan []byte, 10)
	return c.stream
}

// stop is the end of the session: the program's input is closed, and it is killed if it takes that for nothing.
func (c *child) stop() error {
	c.mutex.Lock()
	closed := c.closed
	c.closed = true
	c.mutex.Unlock()
	if closed {
		return errClosed
	}
	c.input.Close()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.command.Process.Kill()
		<-c.ended
	}
	return nil
}
