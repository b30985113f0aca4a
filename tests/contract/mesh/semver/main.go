// SPDX-License-Identifier: GPL-3.0-or-later

// Says of each line "RANGE<tab>VERSION" on standard input what the library thinks of it: no range, no version, or
// whether the version is in the range.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"github.com/Masterminds/semver/v3"
)

func judge(wanted, text string) string {
	constraints, wrongRange := semver.NewConstraint(wanted)
	version, wrongVersion := semver.NewVersion(text)
	switch {
	case wrongRange != nil:
		return "no range"
	case wrongVersion != nil:
		return "no version"
	case constraints.Check(version):
		return "inside"
	}
	return "outside"
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		wanted, text, _ := strings.Cut(lines.Text(), "\t")
		fmt.Println(judge(wanted, text))
	}
}
