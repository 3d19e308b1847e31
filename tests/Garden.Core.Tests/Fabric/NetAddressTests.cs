using System.Text;

namespace Garden.Core.Tests.Fabric;

public class NetAddressTests
{
    [Theory]
    [InlineData("loopback://prefill/0")]
    [InlineData("loopback://prefill/0;prefill/1")]
    [InlineData("verbs://fe80::1:18515:42")]
    [InlineData("a0://x")]
    public void TextAndBytesComeBack(string text)
    {
        NetAddress address = NetAddress.Parse(text);
        Assert.Equal(text, address.ToString());
        Assert.Equal(address, NetAddress.Parse(address.ToBytes()));
        Assert.Equal(address.GetHashCode(), NetAddress.Parse(address.ToBytes()).GetHashCode());
        Assert.Equal(address, new NetAddress(address.Fabric, address.Nics));
        Assert.True(NetAddress.TryParse(text, null, out NetAddress? parsed));
        Assert.Equal(address, parsed);
    }

    public static TheoryData<string> Hostile =>
    [
        "",
        "://",
        "loopback",
        "loopback:/x",
        "loopback://",
        "://x",
        "Loopback://x",
        "loop back://x",
        "loopback://x;",
        "loopback://;x",
        "loopback://x;;y",
        "loopback://x y",
        "loopback://x\n",
        "loopback://x\0y",
        "loopback://é",
        "löp://x",
        "loopback://1;2;3;4;5;6;7;8;9",
        new string('x', 33) + "://x",
        "x://" + new string('y', 256),
        "x://" + new string(';', 100_000),
        new string('x', 1 << 20),
    ];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void HostileInputIsRefused(string text)
    {
        Assert.Throws<DescriptorException>(() => NetAddress.Parse(text));
        Assert.Throws<DescriptorException>(() => NetAddress.Parse(Encoding.Latin1.GetBytes(text)));
        Assert.False(NetAddress.TryParse(text, null, out _));
    }

    [Fact]
    public void MessageDoesNotRepeatEndlessInput()
    {
        DescriptorException thrown = Assert.Throws<DescriptorException>(() => NetAddress.Parse(new string('x', 1 << 20)));
        Assert.InRange(thrown.Message.Length, 1, 500);
    }

    [Fact]
    public void ConstructorChecksItsParts()
    {
        Assert.Throws<DescriptorException>(() => new NetAddress("loopback", []));
        Assert.Throws<DescriptorException>(() => new NetAddress("loopback", ["a;b"]));
        Assert.Throws<DescriptorException>(() => new NetAddress("", ["a"]));
        Assert.Throws<ArgumentNullException>(() => new NetAddress(null!, ["a"]));
        Assert.False(NetAddress.TryParse(null, null, out _));
    }

    [Fact]
    public void RandomBytesParseOrAreRefused() => Gen.Byte.Array[0, 100].Sample(bytes =>
    {
        try
        {
            NetAddress address = NetAddress.Parse(bytes);
            Assert.Equal(bytes, address.ToBytes());
        }
        catch (DescriptorException)
        {
            // The one way to refuse.
        }
    });
}
