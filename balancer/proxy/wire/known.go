package wire

// fieldID names the fields that wire has an opinion about. All others are idOther and pass untouched.
type fieldID uint8

const (
	idOther fieldID = iota
	idHost
	idContentLength
	idTransferEncoding
	idConnection
	idKeepAlive
	idProxyConnection
	idProxyAuthorization
	idTE
	idTrailer
	idUpgrade
	idHTTP2Settings
	idExpect
	idMaxForwards
	idVia
	idCDNLoop
	idForwardedFor
	idForwardedProto
	idConnectingIP
	idConnectingIPv6
	idPseudoIPv4
	idVisitor
	idRay
	idCountry
	idRealIP
	idTrueClientIP
	idCookie
	idDate
	idAccel // X-Accel-Buffering, -Charset, -Limit-Rate, -Redirect
	idWeir  // Weir-*
	ids
)

// idSet is a set of ids, one bit each.
type idSet uint32

const _ = uint(32 - ids) // every id has its bit

func (s idSet) has(id fieldID) bool { return s&(1<<id) != 0 }

func set(list ...fieldID) (s idSet) {
	for _, id := range list {
		s |= 1 << id
	}
	return s
}

type knownName struct {
	name string
	id   fieldID
}

var knownNames = []knownName{
	{"host", idHost},
	{"content-length", idContentLength},
	{"transfer-encoding", idTransferEncoding},
	{"connection", idConnection},
	{"keep-alive", idKeepAlive},
	{"proxy-connection", idProxyConnection},
	{"proxy-authorization", idProxyAuthorization},
	{"te", idTE},
	{"trailer", idTrailer},
	{"upgrade", idUpgrade},
	{"http2-settings", idHTTP2Settings},
	{"expect", idExpect},
	{"max-forwards", idMaxForwards},
	{"via", idVia},
	{"cdn-loop", idCDNLoop},
	{"x-forwarded-for", idForwardedFor},
	{"x-forwarded-proto", idForwardedProto},
	{"cf-connecting-ip", idConnectingIP},
	{"cf-connecting-ipv6", idConnectingIPv6},
	{"cf-pseudo-ipv4", idPseudoIPv4},
	{"cf-visitor", idVisitor},
	{"cf-ray", idRay},
	{"cf-ipcountry", idCountry},
	{"x-real-ip", idRealIP},
	{"true-client-ip", idTrueClientIP},
	{"cookie", idCookie},
	{"date", idDate},
	{"x-accel-buffering", idAccel},
	{"x-accel-charset", idAccel},
	{"x-accel-limit-rate", idAccel},
	{"x-accel-redirect", idAccel},
}

const (
	weirPrefix   = "weir-"
	longestKnown = len("proxy-authorization")
)

// knownByLength is knownNames by the length of the name: few candidates are left for each.
var knownByLength = func() (by [longestKnown + 1][]knownName) {
	for _, k := range knownNames {
		by[len(k.name)] = append(by[len(k.name)], k)
	}
	return by
}()

// identify returns the id of a field name in any case.
func identify(name []byte) fieldID {
	if len(name) <= longestKnown {
		first := lower[name[0]]
		for _, k := range knownByLength[len(name)] {
			if first == k.name[0] && equalFold(name, k.name) {
				return k.id
			}
		}
	}
	if len(name) >= len(weirPrefix) && equalFold(name[:len(weirPrefix)], weirPrefix) {
		return idWeir
	}
	return idOther
}
