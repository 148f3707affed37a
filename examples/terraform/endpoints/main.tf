# Endpoints of AWS services in a VPC, for subnets without a NAT gateway. A VPC can have
# only one endpoint with private DNS for each service.

resource "aws_security_group" "endpoints" {
  name_prefix = "endpoints-"
  description = "HTTPS from the tasks"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  count = length(var.client_security_group_ids)

  security_group_id            = aws_security_group.endpoints.id
  referenced_security_group_id = var.client_security_group_ids[count.index]
  description                  = "HTTPS"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_endpoint" "interface" {
  for_each = toset(var.services)

  vpc_id             = var.vpc_id
  service_name       = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type  = "Interface"
  subnet_ids         = var.subnet_ids
  security_group_ids = [aws_security_group.endpoints.id]

  # The usual host name then resolves to this endpoint, so ESP needs no setting. For
  # this, DNS resolution and DNS host names must be on in the VPC.
  private_dns_enabled = true
}

# The registry keeps the layers of images in S3. A gateway endpoint costs nothing.
resource "aws_vpc_endpoint" "s3" {
  count = length(var.route_table_ids) > 0 ? 1 : 0

  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.route_table_ids
}
