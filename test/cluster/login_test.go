package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/siod-io/siod/internal/testaddr"
	"github.com/siod-io/siod/test/internal/natsserver"
	"github.com/siod-io/siod/test/internal/target"
)

// folder is where a test keeps files.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) write(name, text string) string {
	f.t.Helper()
	name = filepath.Join(f.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return name
}

// TestLogins: a node logs in at a NATS server outside by a token, by certificates
// of both ends, and by credentials of an operator's account, and stores events
// there. With the wrong ones it says what to look at.
func TestLogins(t *testing.T) {
	t.Parallel()
	program := natsserver.Build(t)
	for name, prepare := range map[string]func(folder) (config string, right, wrong []string){
		"token": func(f folder) (string, []string, []string) {
			return `authorization { token: "the-token" }`,
				[]string{"--nats-token-file", f.write("token", "the-token\n")}, []string{"--nats-token-file", f.write("other", "another\n")}
		},
		"certificates": certificates,
		"credentials":  credentials,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := folder{t, t.TempDir()}
			config, right, wrong := prepare(f)
			place := natsserver.Loopback(t, 1)[0]
			place.Config = f.write("nats.conf", config)
			url := natsserver.URL(natsserver.Start(t, program, place))
			if name == "certificates" {
				url = strings.Replace(url, "nats://", "tls://", 1)
			}
			args := []string{
				"--app", "interop", "--gossip-listen", "127.0.0.1:0", "--cluster-secret-file", f.write("secret", "a-secret-of-the-tests\n"),
				"--store-expect", "1", "--recovery", "--nats-url", url,
			}
			s := target.Start(t, append(args, right...)...)
			c := gather(t, "http://"+s.Addr, 2, 20*time.Millisecond)
			c.hears(t, 5, "stored outside")
			c.check(t)
			r := target.Run(t, append(append([]string{"--listen", "127.0.0.1:0", "--internal-listen", testaddr.Free(t)}, args...), wrong...)...)
			if r.Code == 0 || !strings.Contains(r.Stderr, "NATS at "+url) {
				t.Errorf("with the wrong ones it ended with %d:\n%s", r.Code, r.Stderr)
			}
		})
	}
}

// certificates are of an authority's own; the wrong ones are of another.
func certificates(f folder) (config string, right, wrong []string) {
	flags := func(ca, cert, key string) []string {
		return []string{"--nats-tls-ca", ca, "--nats-tls-cert", cert, "--nats-tls-key", key}
	}
	ca, cert, key := f.authority("ours")
	_, otherCert, otherKey := f.authority("theirs")
	return fmt.Sprintf("tls { ca_file: %q, cert_file: %q, key_file: %q, verify: true }", ca, cert, key), flags(ca, cert, key), flags(ca, otherCert, otherKey)
}

// authority makes one, and a certificate of it for 127.0.0.1.
func (f folder) authority(name string) (ca, cert, key string) {
	f.t.Helper()
	now := time.Now()
	top := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	topKey, leafKey := f.key(), f.key()
	topDER, err := x509.CreateCertificate(rand.Reader, top, top, &topKey.PublicKey, topKey)
	if err != nil {
		f.t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, top, &leafKey.PublicKey, topKey)
	if err != nil {
		f.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		f.t.Fatal(err)
	}
	file := func(kind, block string, der []byte) string {
		return f.write(name+"."+kind, string(pem.EncodeToMemory(&pem.Block{Type: block, Bytes: der})))
	}
	return file("ca", "CERTIFICATE", topDER), file("cert", "CERTIFICATE", leafDER), file("key", "PRIVATE KEY", keyDER)
}

func (f folder) key() *ecdsa.PrivateKey {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	return key
}

// credentials are of a user whose account an operator vouches for; the wrong
// ones are of an account that the server does not know.
func credentials(f folder) (config string, right, wrong []string) {
	operator, system, account, stranger := f.pair(nkeys.CreateOperator), f.pair(nkeys.CreateAccount), f.pair(nkeys.CreateAccount), f.pair(nkeys.CreateAccount)
	user := func(of pair, file string) []string {
		u := f.pair(nkeys.CreateUser)
		claims := jwt.NewUserClaims(u.public)
		creds, err := jwt.FormatUserConfig(f.signed(claims, of), u.seed)
		if err != nil {
			f.t.Fatal(err)
		}
		return []string{"--nats-creds", f.write(file, string(creds))}
	}
	oc := jwt.NewOperatorClaims(operator.public)
	oc.SystemAccount = system.public
	ac := jwt.NewAccountClaims(account.public)
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	config = fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n  %s: %s\n  %s: %s\n}\n",
		f.signed(oc, operator), system.public,
		account.public, f.signed(ac, operator),
		system.public, f.signed(jwt.NewAccountClaims(system.public), operator))
	return config, user(account, "right.creds"), user(stranger, "wrong.creds")
}

// pair is a pair of keys of NATS.
type pair struct {
	nkeys.KeyPair
	public string
	seed   []byte
}

func (f folder) pair(create func() (nkeys.KeyPair, error)) (p pair) {
	f.t.Helper()
	var err error
	if p.KeyPair, err = create(); err == nil {
		p.public, err = p.PublicKey()
	}
	if err == nil {
		p.seed, err = p.Seed()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

func (f folder) signed(claims interface {
	Encode(nkeys.KeyPair) (string, error)
}, by pair) string {
	f.t.Helper()
	text, err := claims.Encode(by.KeyPair)
	if err != nil {
		f.t.Fatal(err)
	}
	return text
}
