// RecordIO, the form of Mesos' event streams: the length of each record in decimal digits, a line feed, and the record.

const LINE_FEED = 10;

/** Splits bytes, in whatever pieces they come, into records. */
export class Decoder {
  #pieces = [];
  #waiting = 0;
  #wanted = null;
  #digits = "";

  /** Returns the records, as text, that these bytes complete. */
  push(bytes) {
    const records = [];
    while (bytes.length) {
      if (this.#wanted === null) {
        const end = bytes.indexOf(LINE_FEED);
        this.#digits += String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
        if (!/^\d{0,15}$/.test(this.#digits)) throw new Error("The event stream is not in RecordIO");
        if (end < 0) break;
        this.#wanted = Number(this.#digits);
        this.#digits = "";
        bytes = bytes.subarray(end + 1);
      }
      const part = bytes.subarray(0, this.#wanted - this.#waiting);
      this.#pieces.push(part);
      this.#waiting += part.length;
      bytes = bytes.subarray(part.length);
      if (this.#waiting === this.#wanted) records.push(this.#take());
    }
    return records;
  }

  #take() {
    const decoder = new TextDecoder();
    const text = this.#pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();
    [this.#pieces, this.#waiting, this.#wanted] = [[], 0, null];
    return text;
  }
}
