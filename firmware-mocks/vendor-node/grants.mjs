// Grants: a JSON Web Signature (RFC 7515) signed with Ed25519 (RFC 8037). Returns why one is not valid, "" when it is.
import { createPublicKey, verify } from "node:crypto";

const GRACE_S = 60; // clocks differ

export function whyNot(grant, { name, keys, command, nowSeconds, used }) {
  if (typeof grant !== "string") return "no grant";
  const parts = grant.split(".");
  if (parts.length !== 3) return "the grant has not three parts";
  let header, claims;
  try {
    [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8")));
  } catch {
    return "the grant cannot be read";
  }
  if (header?.alg !== "EdDSA") return "the grant's alg is not EdDSA";
  const known = keys.find((key) => key.kid === header.kid);
  if (!known) return "the grant's key is not known";
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: known.x }, format: "jwk" });
  if (!verify(null, Buffer.from(`${parts[0]}.${parts[1]}`), key, Buffer.from(parts[2], "base64url"))) {
    return "the grant's signature is wrong";
  }
  if (claims.aud !== `vaka:${name}`) return "the grant is for another device";
  if (claims.do !== command.do || claims.cmd !== command.id) return "the grant is for another command";
  if (!(nowSeconds >= claims.nbf - GRACE_S && nowSeconds <= claims.exp)) return "the grant is not valid now";
  if (typeof claims.jti !== "string" || used.includes(claims.jti)) return "the grant was used";
  return "";
}
