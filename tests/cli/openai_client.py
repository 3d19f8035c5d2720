"""What the Python client of OpenAI gets of `lingua serve`: openai_client.py URL REQUESTS

Streams, a stream that is left, two at once, a load of REQUESTS. Ends with 0 when all is as it should be.
"""

import sys
import threading
import time
import urllib.request

import openai

url, requests = sys.argv[1], int(sys.argv[2])
client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
model = client.models.list().data[0].id


def metric(name):
    text = urllib.request.urlopen(url + "/metrics").read().decode()
    return [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")][0]


def complete(prompt, tokens):
    choice = client.completions.create(model=model, prompt=prompt, max_tokens=tokens).choices[0]
    assert choice.finish_reason in ("length", "stop"), choice
    return choice.text


whole = complete("The capital of France is", 20)
stream = client.completions.create(model=model, prompt="The capital of France is", max_tokens=20, stream=True)
assert "".join(piece.choices[0].text for piece in stream) == whole

talk = {"model": model, "messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 12}
answer = client.chat.completions.create(**talk)
pieces = client.chat.completions.create(**talk, stream=True, stream_options={"include_usage": True})
text, usage = "", None
for piece in pieces:
    text += "".join(choice.delta.content or "" for choice in piece.choices)
    usage = piece.usage or usage
assert text == answer.choices[0].message.content, (text, answer)
assert usage == answer.usage, (usage, answer.usage)

stream = client.completions.create(model=model, prompt="Once upon a time", max_tokens=1500, stream=True)
for count, _ in enumerate(stream):
    if count == 3:
        break
stream.close()
left = time.time()
while metric("lingua_requests_active") > 0:
    assert time.time() - left < 20, "the request of a client that has gone goes on"
    time.sleep(0.05)
assert metric('lingua_requests_total{end="cancelled"}') == 1

for wrong, error in (
    ({"model": "gpt-4"}, openai.NotFoundError),
    ({"max_tokens": 100000}, openai.BadRequestError),
    ({"prompt": ""}, openai.BadRequestError),
):
    try:
        client.completions.create(**({"model": model, "prompt": "x"} | wrong))
        raise AssertionError(f"{wrong} was answered")
    except error:
        pass

todo, answered, lock = list(range(requests)), [], threading.Lock()


def load():
    while True:
        with lock:
            if not todo:
                return
            number = todo.pop()
        # Every tenth is the same, so that it must be answered the same beside whatever others.
        prompt = "The capital of France is" if number % 10 == 0 else f"Number {number} is"
        said = complete(prompt, 20 if number % 10 == 0 else 1 + number % 7)
        assert number % 10 != 0 or said == whole, (said, whole)
        with lock:
            answered.append(number)


begin = time.time()
threads = [threading.Thread(target=load) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(answered) == requests, f"{len(answered)} of {requests} were answered"
print(f"{requests} requests of 16 clients in {time.time() - begin:.1f} s, none without an answer")
