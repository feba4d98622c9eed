package probes

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// A NodeProtocol is how a node is asked directly, where the balancer does not ask it by
// plain HTTP/1.1 either. "": it does.
type NodeProtocol string

// The protocols. The PROXY protocol precedes HTTP, or TLS, with the addresses of a
// connection; h2c is HTTP/2 without TLS.
const (
	ProtocolProxyV1 NodeProtocol = "proxy_v1"
	ProtocolProxyV2 NodeProtocol = "proxy_v2"
	ProtocolH2C     NodeProtocol = "h2c"
)

// NodeProtocols lists every NodeProtocol.
var NodeProtocols = []NodeProtocol{ProtocolProxyV1, ProtocolProxyV2, ProtocolH2C}

// preamble returns the bytes that precede everything else on a connection, whose client is
// this process itself. Source: "The PROXY protocol, versions 1 & 2" of HAProxy, sections 2.1
// and 2.2.
func (p NodeProtocol) preamble(c net.Conn) []byte {
	from, to := tcpAddress(c.LocalAddr()), tcpAddress(c.RemoteAddr())
	known := from.IsValid() && to.IsValid()
	switch p {
	case ProtocolProxyV1:
		if !known {
			return []byte("PROXY UNKNOWN\r\n")
		}
		family := map[bool]string{true: "TCP4", false: "TCP6"}[from.Addr().Is4()]
		return fmt.Appendf(nil, "PROXY %s %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port())
	case ProtocolProxyV2:
		const local, proxy, tcp4, tcp6 = 0x20, 0x21, 0x11, 0x21
		out := []byte("\r\n\r\n\x00\r\nQUIT\n")
		if !known {
			return append(out, local, 0, 0, 0)
		}
		addresses := append(from.Addr().AsSlice(), to.Addr().AsSlice()...)
		addresses = binary.BigEndian.AppendUint16(addresses, from.Port())
		addresses = binary.BigEndian.AppendUint16(addresses, to.Port())
		family := byte(tcp6)
		if from.Addr().Is4() {
			family = tcp4
		}
		out = append(out, proxy, family)
		return append(binary.BigEndian.AppendUint16(out, uint16(len(addresses))), addresses...)
	}
	return nil
}

// tcpAddress returns the address of a TCP connection; zero for others.
func tcpAddress(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}
