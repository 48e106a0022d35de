"""A name server of a test, on a port of its own, that answers what its zone says."""

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class Zone:
    """`records` maps (name, kind) to texts in the form of a zone file; `silent` names get none."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def txt(self, name: str, text: str) -> None:
        pieces = [text[n : n + 250] for n in range(0, len(text), 250)]
        quoted = " ".join(f'"{piece}"' for piece in pieces)
        self.records.setdefault((name, "TXT"), []).append(quoted)

    def a(self, name: str, *addresses: str) -> None:
        self.records[(name, "A")] = list(addresses)

    def _serve(self) -> None:
        while True:
            try:
                data, address = self._socket.recvfrom(4096)
            except OSError:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            name = question.name.to_text().rstrip(".").lower()
            kind = dns.rdatatype.to_text(question.rdtype)
            self.asked.append((name, kind))
            if name in self.silent:
                continue
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            if found := self.records.get((name, kind)):
                answer.answer.append(
                    dns.rrset.from_text(
                        question.name, 60, dns.rdataclass.IN, question.rdtype, *found
                    )
                )
            elif not any(known == name for known, _kind in self.records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self._socket.sendto(answer.to_wire(max_size=65_000), address)

    def close(self) -> None:
        self._socket.close()
