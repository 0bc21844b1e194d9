// Worker threads, buffers passed between them, the thread pool's zlib and crypto, streams and short-lived workers.
// Prints sums that depend on the contents only, and "finished".
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const zlib = require('zlib');
const { promisify } = require('util');

const hash = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

function makeBuffer(seed, size) {
    const buffer = Buffer.allocUnsafeSlow(size);
    for (let i = 0; i < size; i++) buffer[i] = (i * seed + (i >> 3)) & 255;
    return buffer;
}

// Its buffers come from here and die in the main thread, and the other way round.
async function work({ seed, rounds }) {
    const hashes = [];
    for (let round = 0; round < rounds; round++) {
        const buffer = makeBuffer(seed + round, 1000 + ((seed * 7919 + round * 104729) % 300000));
        const packed = await promisify(zlib.deflate)(buffer, { level: 1 + (round % 9) });
        const unpacked = await promisify(zlib.inflate)(packed);
        if (!unpacked.equals(buffer)) throw new Error('zlib gave other bytes back');
        const key = await promisify(crypto.scrypt)(`password ${seed}`, `salt ${round}`, 32, { N: 256 });
        const cipher = crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
        hashes.push(hash(Buffer.concat([cipher.update(unpacked), cipher.final()])));
        const sent = new Uint8Array(unpacked);
        parentPort.postMessage(sent, [sent.buffer]);
    }
    return hashes;
}

function runWorker(data) {
    return new Promise((resolve, reject) => {
        let bytes = 0;
        const worker = new Worker(__filename, { workerData: data });
        worker.on('message', (message) => {
            if (message.hashes) resolve({ hashes: message.hashes, bytes });
            else bytes += message.length;
        });
        worker.on('error', reject);
        worker.on('exit', (code) => code === 0 || reject(new Error(`a worker ended with ${code}`)));
    });
}

async function stopWorkers() {
    for (let n = 0; n < 6; n++) {
        const worker = new Worker('for (let all = [];; all.length > 99 && (all = [])) all.push(Buffer.alloc(5000))', { eval: true });
        await new Promise((resolve) => worker.once('online', resolve));
        await new Promise((resolve) => setTimeout(resolve, 20));
        await worker.terminate();
    }
}

async function serve() {
    const server = http.createServer((request, response) => request.pipe(zlib.createGzip()).pipe(response));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const ask = (n) => new Promise((resolve, reject) => {
        const options = { port: server.address().port, host: '127.0.0.1', method: 'POST' };
        const request = http.request(options, (response) => {
            const parts = [];
            response.pipe(zlib.createGunzip()).on('data', (part) => parts.push(part))
                .on('end', () => resolve(hash(Buffer.concat(parts)))).on('error', reject);
        });
        request.on('error', reject);
        request.end(makeBuffer(n, n * 3001));
    });
    const hashes = [];
    for (let n = 0; n < 120; n += 12) hashes.push(...(await Promise.all(Array.from({ length: 12 }, (_, k) => ask(n + k)))));
    server.close();
    return hash(hashes.join());
}

async function readFiles() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'threads-'));
    const names = Array.from({ length: 60 }, (_, n) => path.join(folder, `file${n}`));
    await Promise.all(names.map((name, n) => fs.promises.writeFile(name, makeBuffer(n, n * 1777))));
    const contents = await Promise.all(names.map((name) => fs.promises.readFile(name)));
    return hash(contents.map(hash).join());
}

async function main() {
    const results = await Promise.all([1, 2, 3, 4, 5, 6].map((seed) => runWorker({ seed, rounds: 25 })));
    for (const { hashes, bytes } of results) console.log(hash(hashes.join()), bytes);
    for (let wave = 0; wave < 4; wave++) await Promise.all([7, 8, 9].map((seed) => runWorker({ seed, rounds: 1 })));
    await stopWorkers();
    console.log('server', await serve());
    console.log('files', await readFiles());
    const text = JSON.stringify(Array.from({ length: 50000 }, (_, n) => ({ n, word: hash(String(n)) })));
    console.log('json', hash(JSON.stringify(JSON.parse(text))), /9{3}.*a/.test(text));
    console.log('finished');
}

if (isMainThread) main().catch((error) => { console.error(error); process.exit(1); });
else work(workerData).then((hashes) => parentPort.postMessage({ hashes }));
