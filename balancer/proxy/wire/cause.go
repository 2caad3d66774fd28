package wire

// Cause says why a message was refused. The zero value, OK, means that it was not.
type Cause uint8

// The causes, a closed set. Those up to TrailerTooLong can be the fault of either end.
const (
	OK                    Cause = iota
	BadRequestLine              // not METHOD SP TARGET SP VERSION
	BadMethod                   // not a token
	MethodTooLong               // longer than any method in use
	MethodConnect               // CONNECT: weir is no forward proxy
	BadTarget                   // none of the forms of RFC 9112 §3.2
	BadVersion                  // not HTTP/DIGIT.DIGIT
	UnsupportedVersion          // a major version other than 1
	BadStatusLine               // not VERSION SP 3DIGIT SP [REASON]
	URITooLong                  // Limits.URI
	FieldTooLong                // Limits.Field
	HeaderTooLong               // Limits.Header
	TooManyFields               // Limits.Fields
	BadLineEnd                  // a line that does not end in CRLF, or CR or LF elsewhere
	ControlByte                 // a control byte in a value
	BadFieldName                // empty, or not a token
	SpaceBeforeColon            // white space between name and colon
	Folded                      // a line that starts with white space (obs-fold)
	MissingHost                 // HTTP/1.1 without Host
	SeveralHosts                // more than one Host line
	BadHost                     // not host[:port]
	BadLength                   // Content-Length is no plain decimal number below 2^63
	SeveralLengths              // more than one Content-Length line, equal or not
	ConflictingLength           // Content-Length beside Transfer-Encoding
	BadTransferEncoding         // chunked missing, not last, repeated or misspelt
	UnknownCoding               // a transfer coding other than chunked
	CodingInHTTP10              // Transfer-Encoding in an HTTP/1.0 message
	BadConnection               // Connection is no list of tokens, or absurdly long
	BadMaxForwards              // Max-Forwards is no decimal number, or there are several
	TraceBody                   // TRACE with a body
	BadChunkSize                // no hexadecimal number of at most 16 digits, below 2^63
	BadChunkExtension           // outside the grammar of RFC 9112 §7.1.1
	ChunkExtensionTooLong       // more than maxChunkExtension, or maxChunkExtensions in all
	BadChunkEnd                 // chunk data not followed by CRLF
	ForbiddenTrailer            // framing, routing or identity in a trailer
	TrailerTooLong              // Limits.Header
	Truncated                   // the connection ended before the message did
	causes
)

type causeText struct {
	status          int
	token, sentence string
}

var causeTexts = [causes]causeText{
	OK:                    {0, "ok", "the message is well formed"},
	BadRequestLine:        {400, "bad_request_line", "the request line is not method, one space, target, one space, version"},
	BadMethod:             {400, "bad_method", "the method is not a token"},
	MethodTooLong:         {501, "method_too_long", "the method is longer than any in use"},
	MethodConnect:         {501, "method_connect", "CONNECT is not served here"},
	BadTarget:             {400, "bad_target", "the request target is not a path, an http or https URI, or * with OPTIONS"},
	BadVersion:            {400, "bad_version", "the version is not HTTP/ and two digits with a dot between"},
	UnsupportedVersion:    {505, "unsupported_version", "only HTTP/1 is spoken here"},
	BadStatusLine:         {520, "bad_status_line", "the status line is not version, one space, three digits, one space, reason"},
	URITooLong:            {414, "uri_too_long", "the request target is longer than the limit"},
	FieldTooLong:          {431, "field_too_long", "a header field is longer than the limit"},
	HeaderTooLong:         {431, "header_too_long", "the header fields together are longer than the limit"},
	TooManyFields:         {431, "too_many_fields", "there are more header fields than the limit"},
	BadLineEnd:            {400, "bad_line_end", "a line does not end in CR LF, or a CR or LF stands alone"},
	ControlByte:           {400, "control_byte", "a control byte stands where text belongs"},
	BadFieldName:          {400, "bad_field_name", "a field name is empty or not a token"},
	SpaceBeforeColon:      {400, "space_before_colon", "white space stands between a field name and its colon"},
	Folded:                {400, "folded_line", "a line starts with white space; folded fields are obsolete"},
	MissingHost:           {400, "missing_host", "an HTTP/1.1 request has no Host"},
	SeveralHosts:          {400, "several_hosts", "there is more than one Host line"},
	BadHost:               {400, "bad_host", "Host is not a host name or address with an optional port"},
	BadLength:             {400, "bad_length", "Content-Length is not a plain decimal number below 2^63"},
	SeveralLengths:        {400, "several_lengths", "there is more than one Content-Length line"},
	ConflictingLength:     {400, "conflicting_length", "Content-Length and Transfer-Encoding appear together"},
	BadTransferEncoding:   {400, "bad_transfer_encoding", "Transfer-Encoding does not end in exactly one chunked"},
	UnknownCoding:         {501, "unknown_coding", "a transfer coding other than chunked is used"},
	CodingInHTTP10:        {400, "coding_in_http10", "an HTTP/1.0 message has a Transfer-Encoding"},
	BadConnection:         {400, "bad_connection", "Connection is not a short list of tokens"},
	BadMaxForwards:        {400, "bad_max_forwards", "Max-Forwards is not one decimal number"},
	TraceBody:             {400, "trace_body", "a TRACE request has a body"},
	BadChunkSize:          {400, "bad_chunk_size", "a chunk size is not a hexadecimal number below 2^63"},
	BadChunkExtension:     {400, "bad_chunk_extension", "a chunk extension is not ;name or ;name=value"},
	ChunkExtensionTooLong: {400, "chunk_extension_too_long", "chunk extensions are longer than the limit"},
	BadChunkEnd:           {400, "bad_chunk_end", "the data of a chunk is not followed by CR LF"},
	ForbiddenTrailer:      {400, "forbidden_trailer", "a trailer carries a field that is only allowed in a header"},
	TrailerTooLong:        {400, "trailer_too_long", "the trailer is longer than the limit"},
	Truncated:             {400, "truncated", "the connection ended before the message did"},
}

// Status is the code that answers a client whose own message has this cause, 0 for OK. When an origin sent the message
// the client gets 520 whatever the cause.
func (c Cause) Status() int { return c.text().status }

// String is a short token for logs and metrics, such as "conflicting_length".
func (c Cause) String() string { return c.text().token }

// Sentence says the cause in words.
func (c Cause) Sentence() string { return c.text().sentence }

func (c Cause) text() *causeText {
	if c >= causes {
		panic("BUG: wire: unknown cause")
	}
	return &causeTexts[c]
}

// Causes lists every cause but OK.
func Causes() []Cause {
	all := make([]Cause, 0, causes-1)
	for c := OK + 1; c < causes; c++ {
		all = append(all, c)
	}
	return all
}
