// SPDX-License-Identifier: GPL-3.0-or-later

// Command stdio stands in for the adapter that KMCP puts before a program that speaks MCP on its standard input and
// output. KMCP takes agentgateway 0.9.0 for it, which is published as an image only. This does what that program's
// sources say of the part that KMCP uses (crates/agentgateway/src/mcp: streamablehttp.rs, session.rs, handler.rs,
// upstream/stdio.rs; management/; config.rs; and the crate rmcp 0.6), its weaknesses included:
//
//   - it answers `initialize` and the lists itself, with what it can do and not with what the program can;
//   - an answer of the program that is an error is passed to nobody: who asked waits;
//   - a program that has ended is not noticed: who asks waits, or is told "upstream closed on send".
//
// It differs where nobody can see it from outside, and in that it passes on fields that version would drop.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"gopkg.in/yaml.v3"
)

const version = "0.9.0"

// config is what KMCP renders: pkg/controller/transportadapter/transportadapter_types.go of it.
type config struct {
	Binds []struct {
		Port      uint16 `yaml:"port"`
		Listeners []struct {
			Protocol string  `yaml:"protocol"`
			Routes   []route `yaml:"routes"`
		} `yaml:"listeners"`
	} `yaml:"binds"`
}

type route struct {
	Matches []struct {
		Path struct {
			PathPrefix string `yaml:"pathPrefix"`
			Exact      string `yaml:"exact"`
		} `yaml:"path"`
	} `yaml:"matches"`
	Backends []struct {
		MCP *struct {
			Targets []target `yaml:"targets"`
		} `yaml:"mcp"`
	} `yaml:"backends"`
}

type target struct {
	Name  string `yaml:"name"`
	Stdio *struct {
		Cmd  string            `yaml:"cmd"`
		Args []string          `yaml:"args"`
		Env  map[string]string `yaml:"env"`
	} `yaml:"stdio"`
}

// handler serves the routes of one port; a route without a backend of this kind is none.
func handler(routes []route) (http.Handler, error) {
	type entry struct {
		prefix, exact string
		bridge        *bridge
	}
	var entries []entry
	for _, r := range routes {
		if len(r.Backends) != 1 || r.Backends[0].MCP == nil || len(r.Backends[0].MCP.Targets) != 1 {
			return nil, errors.New("this stand-in serves routes that have exactly one MCP target")
		}
		t := r.Backends[0].MCP.Targets[0]
		if t.Stdio == nil {
			return nil, fmt.Errorf("target %s: this stand-in serves programs of standard input and output only", t.Name)
		}
		b := &bridge{target: t, sessions: map[string]*child{}}
		log.Printf("%s: %q", t.Name, t.Stdio.Cmd)
		for _, m := range r.Matches {
			entries = append(entries, entry{m.Path.PathPrefix, m.Path.Exact, b})
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		for _, e := range entries {
			below := strings.TrimSuffix(e.prefix, "/") + "/"
			if e.exact == path && e.exact != "" || e.prefix != "" && (path == e.prefix || strings.HasPrefix(path, below)) {
				e.bridge.serve(w, r)
				return
			}
		}
		text(w, http.StatusNotFound, "route not found")
	}), nil
}

// management answers the three ports of the program's own. They are taken before any of the configuration, and a port
// of the configuration that is one of them is not served, which ends nothing.
func management() error {
	ready := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/healthz/ready":
			w.WriteHeader(http.StatusNotFound)
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		default:
			text(w, http.StatusOK, "ready\n")
		}
	}
	for _, one := range []struct {
		variable, address string
		handle            http.HandlerFunc
	}{
		{"READINESS_ADDR", ":15021", ready},
		{"ADMIN_ADDR", "localhost:15000", http.NotFound},
		{"STATS_ADDR", ":15020", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" && r.URL.Path != "/stats/prometheus" {
				http.NotFound(w, r)
				return
			}
			text(w, http.StatusOK, fmt.Sprintf("agentgateway_build_info{tag=%q} 1\n# EOF\n", version))
		}},
	} {
		address := one.address
		if moved := os.Getenv(one.variable); moved != "" {
			address = moved
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("%s: %w", one.variable, err)
		}
		go func() { log.Fatal(server(one.handle).Serve(listener)) }()
	}
	return nil
}

func server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
}

func run(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c config
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return err
	}
	if err := management(); err != nil {
		return err
	}
	for _, bind := range c.Binds {
		var routes []route
		for _, l := range bind.Listeners {
			routes = append(routes, l.Routes...)
		}
		h, err := handler(routes)
		if err != nil {
			return err
		}
		listener, err := net.Listen("tcp", fmt.Sprintf(":%d", bind.Port))
		if err != nil {
			log.Printf("warn: bind complete: %v", err)
			continue
		}
		log.Printf("started bind/%d", bind.Port)
		go func() { log.Fatal(server(h).Serve(listener)) }()
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	<-signals
	return nil // what is left ends with the container
}

// copySelf is what the init container does; of the real program only builds with musl can.
func copySelf(destination string) error {
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer source.Close()
	if err := os.MkdirAll(filepath.Dir(destination), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(destination, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, source); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

func main() {
	log.SetFlags(log.LstdFlags | log.LUTC)
	file := flag.String("f", "", "configuration file")
	flag.StringVar(file, "file", "", "configuration file")
	destination := flag.String("copy-self", "", "copy this executable there and leave")
	short := flag.Bool("V", false, "print the version")
	long := flag.Bool("version", false, "print the version as JSON")
	flag.Parse()
	if *long {
		fmt.Printf("{\"version\":%q}\n", version)
		return
	}
	if *short {
		fmt.Println(version)
		return
	}
	work := func() error { return run(*file) }
	if *destination != "" {
		work = func() error { return copySelf(*destination) }
	}
	if err := work(); err != nil {
		log.Fatal("Error: ", err)
	}
}
