// Package bottest holds what the tests of several packages share.
package bottest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the address of an empty schema of its own on the server at
// PODIUM_TEST_POSTGRES (postgres://...), which goes when the test ends. Without
// that variable the test is skipped, and under CI=true fails.
func Postgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("PODIUM_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("PODIUM_TEST_POSTGRES is not set; .ci/run sets it")
		}
		t.Skip("PODIUM_TEST_POSTGRES is not set: give it the address of a PostgreSQL server, or let .ci/run start one")
	}
	schema := "test_" + strings.ToLower(rand.Text())
	exec := func(statement string) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context()) // it outlives the test, for the clean-up
		conn, err := pgx.Connect(ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE SCHEMA " + schema)
	t.Cleanup(func() { exec("DROP SCHEMA " + schema + " CASCADE") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}
