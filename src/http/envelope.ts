/** Coze's envelope around a `data` of the gateway's own, which is JSON already. */
export function envelope(data: string): string {
  return `{"code":0,"msg":"","data":${data},"detail":{"logid":""}}`;
}
