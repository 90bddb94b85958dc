// Khronos' glTF validator over files: one JSON line each, {file, errors, warnings, infos, hints, messages}.
const fs = require('fs');
const validator = require('gltf-validator');
(async () => {
  for (const file of process.argv.slice(2)) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)));
    const { numErrors, numWarnings, numInfos, numHints, messages } = report.issues;
    const told = messages.map((each) => `${each.code} ${each.pointer ?? ''}: ${each.message}`);
    console.log(JSON.stringify({ file, errors: numErrors, warnings: numWarnings, infos: numInfos, hints: numHints, messages: told }));
  }
})();
