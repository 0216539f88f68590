"""Mail domains that anybody can have an address at. None of them tells whom somebody works for."""

import re

import idna

_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_SECOND_LEVEL = frozenset({"co", "com", "net", "org"})
_BRANDS = frozenset({"gmx", "hotmail", "live", "outlook", "windowslive", "yahoo", "yandex"})  # the same name in many countries
_LISTED = """
    gmail.com googlemail.com msn.com passport.com ymail.com rocketmail.com myyahoo.com aol.com aol.de aol.fr aol.co.uk aim.com
    verizon.net icloud.com me.com mac.com privaterelay.appleid.com mail.com email.com usa.com post.com europe.com dr.com
    consultant.com engineer.com proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tutamail.com tuta.io
    tuta.com keemail.me fastmail.com fastmail.fm fastmail.net sent.com hey.com zoho.com zohomail.com zoho.eu hushmail.com
    hush.com runbox.com mailfence.com startmail.com posteo.de posteo.net mailbox.org disroot.org riseup.net duck.com
    mozmail.com simplelogin.com anonaddy.com anonaddy.me addy.io
    web.de t-online.de freenet.de arcor.de vodafone.de online.de 1und1.de magenta.de kabelmail.de unitybox.de email.de
    bluewin.ch hispeed.ch sunrise.ch swissonline.ch a1.net aon.at chello.at kabsi.at tele2.at
    orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr numericable.fr club-internet.fr aliceadsl.fr
    libero.it virgilio.it alice.it tin.it tim.it tiscali.it inwind.it iol.it fastwebnet.it email.it
    telefonica.net terra.es ono.com movistar.es sapo.pt clix.pt iol.pt mail.pt
    skynet.be telenet.be proximus.be scarlet.be ziggo.nl kpnmail.nl kpnplanet.nl planet.nl xs4all.nl hetnet.nl home.nl
    casema.nl chello.nl upcmail.nl solcon.nl zeelandnet.nl quicknet.nl
    btinternet.com btopenworld.com sky.com talktalk.net virginmedia.com virgin.net ntlworld.com blueyonder.co.uk tiscali.co.uk
    plus.com plusnet.com o2.co.uk eircom.net
    comcast.net xfinity.com att.net sbcglobal.net bellsouth.net cox.net charter.net spectrum.net optonline.net earthlink.net
    juno.com netzero.net frontier.com frontiernet.net windstream.net centurylink.net centurytel.net q.com roadrunner.com rr.com
    suddenlink.net mindspring.com prodigy.net pacbell.net ameritech.net swbell.net snet.net
    shaw.ca rogers.com sympatico.ca bell.net videotron.ca telus.net cogeco.ca eastlink.ca
    bigpond.com bigpond.net.au optusnet.com.au iinet.net.au tpg.com.au internode.on.net xtra.co.nz slingshot.co.nz
    uol.com.br bol.com.br terra.com.br ig.com.br globo.com globomail.com oi.com.br r7.com zipmail.com.br
    prodigy.net.mx fibertel.com.ar speedy.com.ar arnet.com.ar ciudad.com.ar vtr.net une.net.co
    mail.ru inbox.ru list.ru bk.ru internet.ru xmail.ru rambler.ru lenta.ru ro.ru autorambler.ru myrambler.ru ya.ru
    narod.ru ukr.net i.ua meta.ua bigmir.net tut.by mail.kz
    wp.pl o2.pl onet.pl onet.eu op.pl interia.pl interia.eu poczta.fm poczta.onet.pl gazeta.pl tlen.pl vp.pl autograf.pl
    seznam.cz email.cz post.cz centrum.cz atlas.cz volny.cz centrum.sk azet.sk zoznam.sk post.sk
    abv.bg mail.bg dir.bg freemail.hu citromail.hu t-online.hu vipmail.hu indamail.hu upcmail.hu
    inbox.lv inbox.lt mail.ee online.ee one.lt siol.net net.hr yahoomail.com otenet.gr forthnet.gr in.gr mynet.com superonline.com
    telia.com bredband.net tele2.se comhem.se spray.se online.no broadpark.no getmail.no tdcadsl.dk jubii.dk ofir.dk mail.dk
    suomi24.fi luukku.com kolumbus.fi elisanet.fi welho.com simnet.is
    qq.com vip.qq.com foxmail.com 163.com 126.com yeah.net 188.com 139.com 189.cn wo.cn sina.com sina.cn sohu.com tom.com
    21cn.com aliyun.com netease.com pchome.com.tw hinet.net seed.net.tw netvigator.com hkbn.net
    naver.com daum.net hanmail.net nate.com kakao.com docomo.ne.jp ezweb.ne.jp softbank.ne.jp i.softbank.jp nifty.com
    biglobe.ne.jp ocn.ne.jp so-net.ne.jp rediffmail.com rediff.com sify.com indiatimes.com singnet.com.sg vsnl.net
    walla.com walla.co.il 012.net.il netvision.net.il bezeqint.net
    mailinator.com mailinator.net guerrillamail.com guerrillamail.net guerrillamail.org sharklasers.com grr.la yopmail.com
    yopmail.fr yopmail.net 10minutemail.com tempmail.com temp-mail.org throwawaymail.com trashmail.com trashmail.de
    wegwerfemail.de spamgourmet.com discard.email dispostable.com getnada.com maildrop.cc mailnesia.com mintemail.com
    mohmal.com moakt.com emailondeck.com tempail.com fakeinbox.com burnermail.io
"""
_DOMAINS = frozenset(_LISTED.split())


def is_public(domain: str) -> bool:
    """Whether this domain, in its one form (text.mail_domain), or one that it is a part of, is a public provider's."""
    labels = domain.split(".")
    return any(_is_provider(labels[n:]) for n in range(len(labels) - 1))


def problem(domain: str) -> str | None:
    """Why an organization can't have this domain, in words; None when it can."""
    if not _is_name(domain):
        return f"{domain!r} is not a mail domain. Write what stands after the @, like acme.example."
    if is_public(domain):
        return f"{domain} is a public mail provider: anybody can have an address there, so it can't tell who belongs together."
    return None


def _is_provider(labels: list[str]) -> bool:
    if ".".join(labels) in _DOMAINS:
        return True
    brand, *rest = labels
    country = len(rest) == 1 or (len(rest) == 2 and rest[0] in _SECOND_LEVEL and len(rest[1]) == 2)
    return brand in _BRANDS and country


def _is_name(domain: str) -> bool:
    try:
        ascii_name = domain if domain.isascii() else idna.encode(domain).decode("ascii")
    except UnicodeError:
        return False
    return _NAME.fullmatch(ascii_name) is not None
