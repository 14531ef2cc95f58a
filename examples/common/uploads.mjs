/** Brings the bytes of an attachment to the server, by tus 1.0.0. */

const TUS = { 'Tus-Resumable': '1.0.0' };
const CHUNK = 1024 * 1024;

/** `row`: an attachment that was pushed; `bytes`: the file. What was sent before is not sent again. */
export async function upload(server, row, bytes) {
  const metadata = `attachment ${Buffer.from(row.id).toString('base64')}`;
  const begun = await server.request('POST', '/uploads', {
    headers: { ...TUS, 'Upload-Length': `${bytes.length}`, 'Upload-Metadata': metadata },
  });
  let offset = Number(begun.headers.get('Upload-Offset') ?? 0);
  while (offset < bytes.length) {
    const answer = await server.request('PATCH', `/uploads/${row.id}`, {
      headers: { ...TUS, 'Upload-Offset': `${offset}`, 'Content-Type': 'application/offset+octet-stream' },
      body: bytes.subarray(offset, offset + CHUNK),
    });
    offset = Number(answer.headers.get('Upload-Offset'));
  }
}
