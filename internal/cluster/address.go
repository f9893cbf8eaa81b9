package cluster

import (
	"net"
	"net/netip"
)

// reached returns where the others reach a listener of this node: at the
// advertised host, else at its own, else at a private address of the machine.
func (c Config) reached(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if host, err = c.host(host); err != nil {
		return "", err
	}
	return net.JoinHostPort(host, port), nil
}

// host returns what the others are told instead of the host of a listener.
func (c Config) host(listens string) (string, error) {
	if c.Advertise != "" {
		return c.Advertise, nil
	}
	if ip, err := netip.ParseAddr(listens); listens != "" && (err != nil || !ip.IsUnspecified()) {
		return listens, nil
	}
	return privateHost()
}

// privateHost is the first private address of the machine, one of IPv4 if there
// is one.
func privateHost() (string, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	six := ""
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || !p.Addr().Unmap().IsPrivate() {
			continue
		}
		if ip := p.Addr().Unmap(); ip.Is4() {
			return ip.String(), nil
		} else if six == "" {
			six = ip.String()
		}
	}
	if six == "" {
		return "", errNoHost
	}
	return six, nil
}
