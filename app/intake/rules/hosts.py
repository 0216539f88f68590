"""Where a mail server may be: anywhere on the network of whoever runs the desk, but not inside of the desk itself."""

from ipaddress import IPv6Address, IPv6Network, ip_address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052


def leads_back(address: str) -> bool:
    """Whether a connection to this address ends at this machine, at its cloud's metadata, or nowhere. False for private ones."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip_address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is not None:
            return leads_back(str(inner))
    return ip.is_loopback or ip.is_unspecified or ip.is_link_local or ip.is_multicast or ip in _OTHERS


_OTHERS = frozenset(map(ip_address, ("fd00:ec2::254", "255.255.255.255")))  # another cloud's metadata; everybody
