package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// splitAddr splits "host:port".
func splitAddr(s string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q has no number as its port", s)
	}
	return host, uint16(n), nil
}

type lookupFunc = func(ctx context.Context, host string) ([]netip.Addr, error)

// resolve returns the addresses that "host:port" stands for, at least one if
// there is no error. An empty host is all addresses of the machine.
func resolve(ctx context.Context, lookup lookupFunc, s string) ([]netip.AddrPort, error) {
	host, port, err := splitAddr(s)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port)}, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a.Unmap(), port)}, nil
	}
	found, err := lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%q has no address", host)
	}
	list := make([]netip.AddrPort, len(found))
	for i, a := range found {
		list[i] = netip.AddrPortFrom(a.Unmap(), port)
	}
	return list, nil
}

// advertised returns the address that others are told, for a listener at bound.
func (c Config) advertised(ctx context.Context, bound netip.AddrPort) (netip.AddrPort, error) {
	if c.Advertise != "" {
		list, err := resolve(ctx, c.lookup, c.Advertise)
		if err != nil {
			return netip.AddrPort{}, err
		}
		a := list[0]
		if a.Addr().IsUnspecified() {
			return netip.AddrPort{}, fmt.Errorf("%q is no address of one machine", c.Advertise)
		}
		if a.Port() == 0 {
			a = netip.AddrPortFrom(a.Addr(), bound.Port())
		}
		return a, nil
	}
	if !bound.Addr().IsUnspecified() {
		return bound, nil
	}
	all, err := machineAddrs()
	if err != nil {
		return netip.AddrPort{}, err
	}
	a, ok := firstPrivate(all)
	if !ok {
		return netip.AddrPort{}, errors.New("the machine has no private address; set Advertise")
	}
	return netip.AddrPortFrom(a, bound.Port()), nil
}

// machineAddrs lists the addresses of all interfaces that are up.
func machineAddrs() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, p.Addr().Unmap())
			}
		}
	}
	return all, nil
}

// firstPrivate returns the first address of a private network (RFC 1918), else
// the first of RFC 4193.
func firstPrivate(all []netip.Addr) (netip.Addr, bool) {
	var six netip.Addr
	for _, a := range all {
		switch {
		case !a.IsPrivate():
		case a.Is4():
			return a, true
		case !six.IsValid():
			six = a
		}
	}
	return six, six.IsValid()
}
