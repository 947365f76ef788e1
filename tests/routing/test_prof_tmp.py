import time,sys
from tests.routing.test_sweeping import *
async def test_pp(autojump_clock, monkeypatch):
    async def send(self, peer, data):
        await trio.lowlevel.checkpoint()
    made=Counter(); request=KadClient.request; seek=None
    from chiral.routing.queries import Queries
    sk=Queries.seek; seeks=Counter()
    async def cs(self,*a,**k):
        f=sys._getframe(1); seeks[f.f_code.co_name+" "+f.f_code.co_filename[-20:]]+=1
        return await sk(self,*a,**k)
    monkeypatch.setattr(Queries,"seek",cs)
    async with running() as net:
        await net.grow(25)
        provider=net.nodes[7]
        monkeypatch.setattr(KadClient, "send", send)
        seeks.clear(); t=time.process_time()
        await provider.kad.schedule([b"x"+k for k in KEYS]);
        print("added", time.process_time()-t)
        for i in range(5):
            await trio.sleep(1)
            print("schedule 10000:", seeks, time.process_time()-t, provider.kad._announcer.stats().announced, flush=True)
