// A small WebGL 2 viewer for the GLB files that this server makes: one mesh, one texture or vertex colours.

const VERTEX = `#version 300 es
in vec3 position; in vec3 normal; in vec2 uv; in vec4 color;
uniform mat4 camera; uniform mat3 turn;
out vec3 n; out vec2 t; out vec4 c;
void main() { n = turn * normal; t = uv; c = color; gl_Position = camera * vec4(turn * position, 1.0); }`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 n; in vec2 t; in vec4 c;
uniform sampler2D image; uniform bool textured;
out vec4 pixel;
void main() {
  vec3 base = textured ? texture(image, t).rgb : pow(c.rgb, vec3(1.0 / 2.2));
  pixel = vec4(base * (0.72 + 0.28 * abs(normalize(n).z)), 1.0);
}`;
const ARRAYS = { 5121: Uint8Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array };
const WIDTHS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };

function parse(buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== 0x46546c67) throw new Error("not a GLB file");
  const length = view.getUint32(12, true);
  const json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
  const start = 20 + length + 8;
  const bytes = (index) => {
    const part = json.bufferViews[index];
    return new Uint8Array(buffer, start + (part.byteOffset || 0), part.byteLength);
  };
  const read = (index) => {
    if (index === undefined) return null;
    const accessor = json.accessors[index];
    const data = bytes(accessor.bufferView);
    const at = data.byteOffset + (accessor.byteOffset || 0);
    const width = WIDTHS[accessor.type];
    const size = accessor.count * width * ARRAYS[accessor.componentType].BYTES_PER_ELEMENT;
    const values = new ARRAYS[accessor.componentType](buffer.slice(at, at + size));
    return { values, width, type: accessor.componentType, normalized: !!accessor.normalized };
  };
  const part = json.meshes[0].primitives[0];
  const image = json.images && json.images[0];
  return {
    position: read(part.attributes.POSITION),
    normal: read(part.attributes.NORMAL),
    uv: read(part.attributes.TEXCOORD_0),
    color: read(part.attributes.COLOR_0),
    indices: read(part.indices),
    image: image ? new Blob([bytes(image.bufferView)], { type: image.mimeType }) : null,
  };
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  gl.useProgram(made);
  return made;
}

function upload(gl, made, name, data) {
  const place = gl.getAttribLocation(made, name);
  if (place < 0) return;
  if (!data) { gl.disableVertexAttribArray(place); gl.vertexAttrib4f(place, 0.7, 0.7, 0.7, 1); return; }
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, data.values, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, data.width, data.type, data.normalized, 0, 0);
}

// A camera on +z at distance 4 with the field of view of the models, looking at the origin; column-major.
function camera(distance) {
  const f = 1 / Math.tan(Math.PI / 12), near = 0.1, far = 50;
  const a = (far + near) / (near - far), b = (2 * far * near) / (near - far);
  return [f, 0, 0, 0, 0, f, 0, 0, 0, 0, a, -1, 0, 0, -a * distance + b, distance];
}

function turn(yaw, pitch) {
  const [c, s, d, t] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return [c, t * s, -d * s, 0, d, t, s, -t * c, d * c];
}

// Shows the file on the canvas; false where there is no WebGL 2.
export async function showGlb(canvas, buffer) {
  const gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) return false;
  const mesh = parse(buffer);
  const made = program(gl);
  for (const name of ["position", "normal", "uv", "color"]) upload(gl, made, name, mesh[name]);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.indices.values, gl.STATIC_DRAW);
  gl.uniform1i(gl.getUniformLocation(made, "textured"), mesh.image && mesh.uv ? 1 : 0);
  if (mesh.image) {
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, await createImageBitmap(mesh.image));
    gl.generateMipmap(gl.TEXTURE_2D);
  }
  gl.enable(gl.DEPTH_TEST);
  gl.clearColor(1, 1, 1, 1);
  let yaw = 0.5, pitch = 0.25, distance = 4.4;
  const draw = () => {
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix4fv(gl.getUniformLocation(made, "camera"), false, camera(distance));
    gl.uniformMatrix3fv(gl.getUniformLocation(made, "turn"), false, turn(yaw, pitch));
    gl.drawElements(gl.TRIANGLES, mesh.indices.values.length, mesh.indices.type, 0);
  };
  canvas.onpointerdown = (event) => canvas.setPointerCapture(event.pointerId);
  canvas.onpointermove = (event) => {
    if (!event.buttons) return;
    yaw += event.movementX * 0.01;
    pitch = Math.max(-1.5, Math.min(1.5, pitch + event.movementY * 0.01));
    draw();
  };
  canvas.onwheel = (event) => {
    event.preventDefault();
    distance = Math.max(2, Math.min(12, distance * Math.exp(event.deltaY * 0.001)));
    draw();
  };
  draw();
  return true;
}
