const wholeText = 0x81;
const twoBytesOfLength = 126;
const eightBytesOfLength = 127;

/**
 * A text message as a server puts it on the wire (RFC 6455 §5.2: whole, unmasked, uncompressed), with its header: made
 * once and written as it is to every socket it goes to.
 */
export const textFrame = (text: string): Buffer => {
  const length = Buffer.byteLength(text);
  const header = length < twoBytesOfLength ? 2 : length < 0x1_0000 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = wholeText;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = twoBytesOfLength;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = eightBytesOfLength;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header);
  return frame;
};
