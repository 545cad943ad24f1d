/** Certificates for tests of TLS: made anew each time, so that none is kept in the repository and none expires. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** As PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly name: string;
}

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
};
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const hex = (text: string): Buffer => Buffer.from(text, "hex");
/** Object identifiers, as their bytes. */
const oid = {
  ecdsaWithSha256: der(0x06, hex("2a8648ce3d040302")),
  commonName: der(0x06, hex("550403")),
  basicConstraints: der(0x06, hex("551d13")),
  alternativeName: der(0x06, hex("551d11")),
};
const algorithm = sequence(oid.ecdsaWithSha256);
const named = (name: string): Buffer =>
  sequence(der(0x31, sequence(oid.commonName, der(0x0c, Buffer.from(name, "utf8")))));
const time = (date: Date): Buffer =>
  der(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replace(/[-:T]|\.\d+/g, "")
        .slice(2)}`,
    ),
  );
const yes = der(0x01, hex("ff"));
const day = 86_400_000;

/** For `name` as a host and 127.0.0.1, by the authority; without one it is an authority itself. */
export function certificate(name: string, authority?: Certificate): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const signer: KeyObject = authority === undefined ? privateKey : createPrivateKey(authority.key);
  const extension =
    authority === undefined
      ? sequence(oid.basicConstraints, yes, der(0x04, sequence(yes)))
      : sequence(oid.alternativeName, der(0x04, sequence(der(0x82, Buffer.from(name)), der(0x87, hex("7f000001")))));
  const body = sequence(
    der(0xa0, der(0x02, hex("02"))),
    der(0x02, hex("01"), randomBytes(15)),
    algorithm,
    named(authority?.name ?? name),
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    named(name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension)),
  );
  const signature = sign("sha256", body, signer);
  const whole = sequence(body, algorithm, der(0x03, hex("00"), signature));
  const lines = whole.toString("base64").replace(/.{64}/g, "$&\n");
  return {
    name,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}
