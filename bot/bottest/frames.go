package bottest

import (
	"bytes"
	"time"

	"github.com/gorilla/websocket"
)

// What Send sends.
const (
	Frames  = iota // a text frame of each line
	Binary         // a binary frame
	Ping           // a ping and a pong
	Closing        // a close frame
	Raw            // the bytes as they are, whether or not they are a frame
	Kinds
)

// Send has the far end of a websocket send data as kind says, then last as a
// text frame, and take its leave. It pays no heed to errors: who hears it may be
// gone.
func Send(ws *websocket.Conn, kind uint8, data, last []byte) {
	text := func(b []byte) { _ = ws.WriteMessage(websocket.TextMessage, b) }
	control := func(kind int, b []byte) { _ = ws.WriteControl(kind, b, time.Now().Add(time.Second)) }
	short := data[:min(len(data), 125)]
	switch kind {
	case Frames:
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			text(line)
		}
	case Binary:
		_ = ws.WriteMessage(websocket.BinaryMessage, data)
	case Ping:
		control(websocket.PingMessage, short)
		control(websocket.PongMessage, short)
	case Closing:
		control(websocket.CloseMessage, short)
	case Raw:
		_, _ = ws.NetConn().Write(data)
	}
	text(last)
	control(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}
