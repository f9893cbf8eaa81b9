// Package config is the configuration of the commands: one table from which
// flags, environment variables, keys of a file and their documentation are
// made.
//
// It stands between the commands and packages node and transport: it knows how
// operators write things, and hands over plain structs. Libraries do not read
// configuration.
//
//	fs := pflag.NewFlagSet("siod", pflag.ContinueOnError)
//	r := config.NewReader(fs, config.Default())
//	if err := r.Parse(args); err != nil { … } // names the flag
//	cfg, err := r.Read(os.Environ())          // names the key, variable or flag
//	srv, err := node.New(cfg.Node())
//
// A new option is one field of a struct in config.go, its default in
// defaults.go, and a line in node.go that hands it on. Tests fail if a tag, or
// the line, is missing, and if docs/configuration.md is not what the table
// says (go test ./internal/config -run TestDocumentation -update).
//
// The package starts no goroutines. A Reader belongs to one goroutine; what it
// returns is not changed any more.
package config
