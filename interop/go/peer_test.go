package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
)

type vectors struct {
	Cids []struct {
		Cid, Name string
		Request   string `json:"bincode_block_request_hex"`
	}
	Responses map[string]string
	Decoder   []struct {
		Hex, Name string
		Request   string `json:"as_request"`
		Response  string `json:"as_response"`
	}
	File struct {
		Name      string
		Size      int
		CreatedAt uint64 `json:"created_at"`
		Root      string `json:"root_cid"`
		JSON      string `json:"fileinfo_json"`
	}
	EmptyFile struct {
		Root string `json:"root_cid"`
	} `json:"empty_file"`
	Key string `json:"kad_provider_key_hex_of_root"`
}

func load(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("../vectors/rust-blocks-1.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRequestsAreTheVectors(t *testing.T) {
	for _, vector := range load(t).Cids {
		id := cid.MustParse(vector.Cid)
		want := unhex(t, vector.Request)
		if got := encodeRequest(id); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", vector.Name, got, want)
		}
		if back, err := decodeRequest(want); err != nil || back != id {
			t.Errorf("%s: decoded to %s, %v", vector.Name, back, err)
		}
	}
}

func TestResponsesAreTheVectors(t *testing.T) {
	v := load(t).Responses
	for name, got := range map[string][]byte{
		"none": encodeNone(), "some_empty": encodeSome(nil), "some_hello_world": encodeSome([]byte("hello world")),
	} {
		if want := unhex(t, v[name]); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
}

func TestTheDecoderTakesAndRefusesWhatTheVectorsDo(t *testing.T) {
	for _, vector := range load(t).Decoder {
		body := unhex(t, vector.Hex)
		if _, err := decodeRequest(body); (err == nil) != strings.HasPrefix(vector.Request, "ok") {
			t.Errorf("%s as a request: %v, want %s", vector.Name, err, vector.Request)
		}
		_, err := readResponse(bytes.NewReader(body))
		if taken := err == nil || errors.Is(err, errNotFound); taken != strings.HasPrefix(vector.Response, "ok") {
			t.Errorf("%s as a response: %v, want %s", vector.Name, err, vector.Response)
		}
	}
}

func TestTheVectorFileHasItsRootAndJSON(t *testing.T) {
	v := load(t)
	data := make([]byte, v.File.Size)
	for i := range data {
		data[i] = byte((i*31 + 7) % 251)
	}
	chunks, size, err := chunkFile(bytes.NewReader(data), func(cid.Cid, []byte) {})
	if err != nil || size != uint64(v.File.Size) {
		t.Fatal(size, err)
	}
	info := fileInfo{rootOf(chunks), v.File.Name, size, chunks, v.File.CreatedAt}
	if info.Root.String() != v.File.Root || string(info.toJSON()) != v.File.JSON {
		t.Errorf("%s %s", info.Root, info.toJSON())
	}
	if back, err := infoFromReply(info.Root, []byte(v.File.JSON)); err != nil || back.Size != size {
		t.Error(back, err)
	}
	if got := rootOf(nil).String(); got != v.EmptyFile.Root {
		t.Errorf("empty file: %s", got)
	}
}

func TestAFileInfoOfAnotherRootIsRefused(t *testing.T) {
	chunk := []cid.Cid{cidOf([]byte("a"))}
	info := fileInfo{rootOf(chunk), "a", 1, chunk, 0}
	if _, err := infoFromReply(cidOf([]byte("b")), info.toJSON()); err == nil {
		t.Error("taken for another root")
	}
	info.Chunks = []cid.Cid{cidOf([]byte("b"))}
	if _, err := infoFromReply(info.Root, info.toJSON()); err == nil {
		t.Error("taken with other chunks")
	}
}

func TestNamesAreEscapedAsSerdeJSONDoes(t *testing.T) {
	got := string(appendString(nil, "a\"b\\c\n\x01\x7f<&>é\u2028"))
	if want := `"a\"b\\c\n\u0001` + "\x7f<&>é\u2028" + `"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheWholeCidIsTheKey(t *testing.T) {
	v := load(t)
	if key := wholeCidKey(cid.MustParse(v.File.Root)).Hash(); hex.EncodeToString(key) != v.Key {
		t.Errorf("key %x, want %s", key, v.Key)
	}
}
