/** Milliseconds since 1970 in a UUIDv7. */
export const timeOfUuid = (id: string): number => parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A UUIDv7 (RFC 9562 §5.7) of a time in milliseconds and ten random bytes. */
export const uuidV7 = (timeMs: number, random: Uint8Array): string => {
  const at = (index: number): number => random[index] ?? 0;
  const byte = (value: number): string => hex[value & 0xff] ?? '00';
  const time = timeMs.toString(16).padStart(12, '0');
  return (
    `${time.slice(0, 8)}-${time.slice(8, 12)}` +
    `-${byte(0x70 | (at(0) & 0x0f))}${byte(at(1))}` +
    `-${byte(0x80 | (at(2) & 0x3f))}${byte(at(3))}` +
    `-${byte(at(4))}${byte(at(5))}${byte(at(6))}${byte(at(7))}${byte(at(8))}${byte(at(9))}`
  );
};
