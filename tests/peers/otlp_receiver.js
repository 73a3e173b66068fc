// SPDX-License-Identifier: MIT
// The mock server of OTLP on a free port of loopback. Writes its URL, then each request that it took, one JSON object a line.
'use strict';
const { MockOtlpServer, normalizeMetrics, normalizeTrace } = require('@elastic/mockotlpserver');

const line = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const server = new MockOtlpServer({
    logLevel: 'fatal',
    services: ['http'],
    httpHostname: '127.0.0.1',
    httpPort: 0,
    onMetrics: (metrics) => line(normalizeMetrics(metrics)),
    onTrace: (trace) => line(normalizeTrace(trace)),
});
server.start().then(() => line({ url: server.httpUrl.href }));
